"""Tables of `net` and `scale`, printed and as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from pdehvd.results.tables import print_table
from pdehvd.scaling.network_measurement import NetworkMeasurement
from pdehvd.scaling.network_model import bus_bandwidth
from pdehvd.scaling.step_model import Curve, StepTime
from pdehvd.scaling.sweep_results import Row
from pdehvd.spec.plain import Facts


def show_network(network: NetworkMeasurement, fits: Sequence[Facts]) -> None:
    """Print times by size, bandwidths and the limits, and the fitted links."""
    keys = list(dict.fromkeys((s.library, s.dtype, s.processes) for s in network.samples))
    sizes = sorted({s.bytes for s in network.samples})
    times = {
        (s.library, s.dtype, s.processes, s.bytes): statistics.median(s.seconds)
        for s in network.samples
    }
    libraries = list(dict.fromkeys(library for library, *_ in keys))
    for dtype, processes in dict.fromkeys(key[1:] for key in keys):
        rows = [
            [f"{size:,}"]
            + [three_digits(times.get((name, dtype, processes, size)), 1e6) for name in libraries]
            for size in sizes
        ]
        print(f"microseconds of an allreduce of {dtype} over {processes} processes")
        print_table(["bytes", *libraries], rows)
        print()
    largest = sizes[-1]
    for library, dtype, n in keys:
        seconds = times.get((library, dtype, n, largest))
        if seconds and n > 1:
            bus = bus_bandwidth(n, largest, seconds) / 1e9
            print(f"bus bandwidth of {library} {dtype} on {n}: {bus:.3g} GB/s at {largest:,} bytes")
    print(f"limit: a process copies {network.copy_bytes_per_second / 1e9:.3g} GB/s in memory")
    if network.link_bits_per_second and any(s.hosts > 1 for s in network.samples):
        print(f"limit: the link carries {network.link_bits_per_second / 8e9:.3g} GB/s")
    print("\nfitted: a of latency, b for a byte sent, g for a byte added; off: median misfit")
    print_table(
        ["library", "dtype", "algorithm", "a, us", "b, ns/B", "g, ns/B", "off, %"],
        [
            [
                fit["library"],
                fit["dtype"],
                fit["algorithm"],
                three_digits(fit["latency"], 1e6),
                three_digits(fit["per_byte"], 1e9),
                three_digits(fit["reduction"], 1e9),
                three_digits(fit["misfit"], 100),
            ]
            for fit in fits
        ],
    )


def three_digits(value: float | None, unit: float = 1.0) -> str:
    """Return a number times a unit in three digits; a dash for none."""
    return "-" if value is None or value != value else f"{value * unit:.3g}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows))


def predicted_table(curve: Curve) -> tuple[Sequence[str], list[list[str]]]:
    """Return head and rows of a predicted curve; times in ms."""
    head = ["processes", "ms per step", "computing", "straggling", "latency", "moving"]
    head += ["efficiency", "5 to 95 %"]
    body = []
    for index, step in enumerate(curve.steps):
        times = (step.total, step.computing, step.straggling, step.latency, step.moving)
        low, high = curve.low[index], curve.high[index]
        body.append([str(step.processes), *(three_digits(one, 1e3) for one in times)])
        body[-1] += [f"{curve.efficiency[index]:.2f}", f"{low:.2f} to {high:.2f}"]
    return head, body


def compared_table(
    both: Sequence[tuple[Row, StepTime, float]],
) -> tuple[Sequence[str], list[list[str]]]:
    """Return head and rows of predictions and measurements."""
    head = ["mode", "processes", "measured, ms", "predicted, ms", "off by"]
    body = [
        [
            row.mode,
            f"{row.processes}{'*' if row.oversubscribed else ''}",
            three_digits(row.step, 1e3),
            three_digits(step.total, 1e3),
            f"{off:+.0%}",
        ]
        for row, step, off in both
    ]
    return head, body
