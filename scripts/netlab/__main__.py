"""Emulated clusters: nodes as network namespaces on a bridge, links slowed by token buckets.

    sudo .venv/bin/python -m scripts.netlab [--rates 100mbit 1gbit 10gbit none] [--np 2] [--write]
    sudo .venv/bin/python -m scripts.netlab --clean

Needs root, `ip` and `tc`. Every node is a network namespace with one link to a bridge, which lives
in a namespace of its own: no packet leaves the machine, and the machine's own network is not
touched. Open MPI starts its daemons in the namespaces (through a script in place of ssh) and
`pdehvd net` measures, for each rate of the links, with all ranks on one node and one on each. The
link of the predictor, fitted where nothing is slowed, is then held against what was measured.

Everything is removed at the end, also after Ctrl-C and after a failure; --clean removes what a
killed run left behind. Tokens are for bytes on the wire, headers included. netem, which could add
latency, is not in every kernel; --latency is refused where it is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.netlab.nodes import (
    PLACEMENTS,
    Lab,
    Shape,
    bits,
    clean,
    has_netem,
    namespaces,
    placement,
    said,
)

if TYPE_CHECKING:
    from pdehvd.scaling.network_model import Link

# Of 1514 bytes on the wire 1448 are the program's.
PAYLOAD = 1448 / 1514
TARGET = 0.2
Times = dict[tuple[str, int], float]


def medians(found: dict[str, Any], dtype: str = "float32") -> Times:
    """Return seconds by library and bytes."""
    return {
        (one["library"], one["bytes"]): statistics.median(one["seconds"])
        for one in found["samples"]
        if one["dtype"] == dtype
    }


def predicted(free: dict[str, Any], library: str, size: int, shape: Shape) -> float:
    """Return the seconds of an allreduce from the times of the links at full speed.

    T = max(T_free, n / r, T_free - n b + (n - B) / r) for n bytes sent, b seconds each at full
    speed, over a bucket of B bytes that fills with r bytes per second: it fills while the sum has
    other things to do, up to its size.
    """
    from pdehvd.scaling.network_measurement import NetworkMeasurement, merge

    links = NetworkMeasurement.model_validate(merge([free])).links(library, near=size)
    return min(slowed(link, free["processes"], size, shape) for link in links)


def slowed(link: Link, processes: int, size: int, shape: Shape) -> float:
    """Return the seconds of an allreduce on a link that a bucket of tokens slows."""
    from pdehvd.scaling.network_model import counts

    often = counts(link.algorithm, processes, size)
    full = link.seconds(processes, size) + often.latency * shape.delay * 1e-3
    if shape.bits_per_second is None:
        return full
    rate = shape.bits_per_second / 8 * PAYLOAD
    rest = full - often.sent * link.per_byte
    return max(full, often.sent / rate, rest + (often.sent - shape.bucket * PAYLOAD) / rate)


def rows(
    measured: dict[tuple[str, str], dict[str, Any]], shapes: dict[str, Shape], library: str
) -> list[list[str]]:
    """Return a row for each rate and size: both placements, the prediction, how far it is off."""
    free = measured["none", PLACEMENTS[1]]
    body = []
    for name, shape in shapes.items():
        together, apart = (medians(measured[name, place]) for place in PLACEMENTS)
        for (found, size), seconds in apart.items():
            if found != library:
                continue
            model = predicted(free, library, size, shape)
            times = (together[library, size], seconds, model)
            body.append([name, f"{size}", *(f"{one * 1e6:.0f}" for one in times)])
            body[-1].append(f"{model / seconds - 1:+.0%}")
    return body


def within(body: Iterable[Sequence[str]]) -> str:
    """Return how many predictions are as near as they should be."""
    off = [abs(float(row[-1].rstrip("%"))) / 100 for row in body]
    return f"{sum(one <= TARGET for one in off)} of {len(off)} within {TARGET:.0%}"


HEAD = ("link", "bytes", "one node, us", "one per node, us", "predicted, us", "off")
SUMMARY = ("backend", "link", "within 20 %", "off by at most", "smallest, us", "largest, us")


def table(body: Iterable[Sequence[str]]) -> str:
    lines = (HEAD, ["---"] * len(HEAD), *body)
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def summary(library: str, body: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return a row for each link: good predictions, the worst, and both ends of the sizes."""
    lines = []
    for link in dict.fromkeys(row[0] for row in body):
        some = [row for row in body if row[0] == link]
        worst = max(some, key=lambda row: abs(float(row[-1].rstrip("%"))))
        ends = (f"{row[3]} ({row[4]})" for row in (some[0], some[-1]))
        lines.append([library, link, within(some).split(" within")[0], worst[-1], *ends])
    return lines


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    rates = ["none", "10gbit", "1gbit", "100mbit"]
    parser.add_argument("--rates", nargs="*", default=rates, help="of the links; none: not slowed")
    parser.add_argument("--np", type=int, default=2, help="ranks, and nodes")
    parser.add_argument("--largest", default="4MB", help="the largest allreduce")
    parser.add_argument("--latency", type=float, default=0.0, help="ms that each link adds")
    parser.add_argument("--repeats", type=int, default=1, help="rounds over all rates; medians")
    parser.add_argument("--json", type=Path, help="keep all times in this file")
    parser.add_argument("--clean", action="store_true", help="remove what was left, nothing else")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    options = parser.parse_args(words)
    try:
        for rate in options.rates:
            if rate != "none":
                bits(rate)
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    if options.np < 2 or options.np > 64:
        parser.error("--np: from 2 to 64")
    if options.repeats < 1:
        parser.error("--repeats: 1 or more")
    # What nothing slows is what the prediction starts from.
    options.rates = list(dict.fromkeys(["none", *options.rates]))
    return options


def lacking() -> str:
    """Return what this machine lacks, or an empty text."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [name for name in ("ip", "tc", "unshare") if not shutil.which(name)]
    return f"{' and '.join(missing)} not found" if missing else ""


def main() -> int:
    options = parsed()
    if problem := lacking():
        print(f"netlab: {problem}", file=sys.stderr)
        return 3
    if options.clean:
        print("removed:", " ".join(clean()) or "nothing")
        return 0
    if left := namespaces(said(["ip", "netns", "list"])):
        print(f"netlab: {' '.join(left)} exist already; --clean removes them", file=sys.stderr)
        return 2
    if options.latency and not has_netem():
        print("netlab: this kernel has no netem; --latency cannot be had", file=sys.stderr)
        return 3
    measured, shapes = measure(options)
    bodies = {library: rows(measured, shapes, library) for library in ("mpi", "horovod", "mpi4py")}
    for library, body in bodies.items():
        print(f"{library}, {options.np} ranks: {within(body)}\n\n{table(body)}\n")
    if options.json:
        everything = [{"rate": r, "placement": p, **found} for (r, p), found in measured.items()]
        options.json.write_text(json.dumps(everything))
    if options.write:
        publish(options.np, bodies)
    return 0


def publish(ranks: int, bodies: dict[str, list[list[str]]]) -> None:
    """Put a summary on the page of benchmarks; all rows are stored."""
    from scripts.shared import results

    lines = [line for library, body in bodies.items() for line in summary(library, body)]
    caption = (
        f"Allreduces of float32 over {ranks} ranks, one per node; in brackets the prediction, us:"
    )
    shown = results.Table(SUMMARY, lines, caption)
    data = {"columns": HEAD, "rows": bodies}
    results.publish(
        "netlab",
        results.Results(results.this_command(), results.processor(), [shown], data=data),
    )


def measure(
    options: argparse.Namespace,
) -> tuple[dict[tuple[str, str], dict[str, Any]], dict[str, Shape]]:
    """Return what `pdehvd net` measured for every rate and placement.

    Each round visits all rates, and every other one backwards: a machine's speed drifts.
    """
    shapes = {
        rate: Shape(None if rate == "none" else rate, options.latency) for rate in options.rates
    }
    measured: dict[tuple[str, str], dict[str, Any]] = {}
    with Lab(options.np) as lab:
        for turn in range(options.repeats):
            for name, shape in list(shapes.items())[:: -1 if turn % 2 else 1]:
                lab.shape(shape)
                for place in PLACEMENTS:
                    doing = f"{turn + 1} of {options.repeats}: {name}, {place} ..."
                    print(doing, file=sys.stderr, flush=True)
                    found = once(lab, placement(place, options.np), options.largest)
                    measured[name, place] = with_rounds(measured.get((name, place)), found)
    return measured, shapes


def once(lab: Lab, counts: Sequence[int], largest: str) -> dict[str, Any]:
    """Return what `pdehvd net` measured with counts[i] ranks on node i."""
    into = lab.folder / "net.json"
    program = [sys.executable, "-m", "pdehvd", "net", "--largest", largest]
    lab.run(counts, [*program, "--into", str(into)])
    return dict(json.loads(into.read_text()))


def with_rounds(before: dict[str, Any] | None, found: dict[str, Any]) -> dict[str, Any]:
    """Return the measurement with the times of the rounds before added to each sample."""
    if before is None:
        return found
    samples = [
        {**new, "seconds": old["seconds"] + new["seconds"]}
        for old, new in zip(before["samples"], found["samples"], strict=True)
    ]
    return {**found, "samples": samples}


if __name__ == "__main__":
    sys.exit(main())
