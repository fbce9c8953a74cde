"""The picture of a measured network: times and bus bandwidth over sizes, with the limits."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pdehvd.results.plot_style import INK, figure, in_style, line_style, log_axis
from pdehvd.scaling.network_model import bus_bandwidth

if TYPE_CHECKING:
    from pdehvd.scaling.network_measurement import NetworkMeasurement


@in_style
def allreduce_times(network: NetworkMeasurement) -> Figure:
    """Draw the time of an allreduce and its bus bandwidth over its size, by library and dtype."""
    picture = figure(9.6, 3.6)
    left, right = picture.subplots(1, 2)
    keys = dict.fromkeys((s.library, s.dtype, s.processes) for s in network.samples)
    for index, (library, dtype, processes) in enumerate(keys):
        chosen = [s for s in network.of(library, dtype) if s.processes == processes]
        sizes = np.array([s.bytes for s in chosen])
        seconds = np.array([statistics.median(s.seconds) for s in chosen])
        label = f"{library}, {dtype}, {processes} processes"
        left.plot(sizes, seconds * 1e6, label=label, marker="o", ms=3, **line_style(index))
        if processes > 1:
            bus = bus_bandwidth(processes, sizes, seconds)  # type: ignore[arg-type]
            right.plot(sizes, bus / 1e9, marker="o", ms=3, **line_style(index))
    _limits(right, network)
    left.set_ylabel("time of an allreduce (µs)")
    right.set_ylabel("bus bandwidth (GB/s)")
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        axes.set_xlabel("size (bytes)")
        log_axis(axes)
    picture.legend(loc="outside lower center", ncols=2)
    return picture


def _limits(axes: Axes, network: NetworkMeasurement) -> None:
    """Draw what memory, or between hosts the link, could carry at most."""
    limits = {"copy in memory": network.copy_bytes_per_second}
    if network.link_bits_per_second and any(s.hosts > 1 for s in network.samples):
        limits["link"] = network.link_bits_per_second / 8
    for name, limit in limits.items():
        axes.axhline(limit / 1e9, color=INK, linewidth=0.9, linestyle=":")
        axes.annotate(name, (0.02, limit / 1e9), xycoords=("axes fraction", "data"), va="bottom")
