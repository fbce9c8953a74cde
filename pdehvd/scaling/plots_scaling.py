"""The pictures of a sweep: speed, split of a step, error over time, prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pdehvd.results.plot_style import COLOURS, INK, figure, in_style, line_style, log_axis
from pdehvd.scaling.step_model import Curve
from pdehvd.scaling.sweep_results import Row
from pdehvd.spec.plain import Facts

_PARTS = ("computing", "communication", "waiting")


@in_style
def speed(rows: Mapping[str, Sequence[Row]]) -> Figure:
    """Draw time per step, throughput, speed-up and efficiency over the number of processes."""
    picture = figure(9.6, 5.4)
    panels = picture.subplots(2, 2, sharex=True)
    most = max(row.processes for found in rows.values() for row in found)
    for index, (mode, found) in enumerate(rows.items()):
        across = [row.processes for row in found]
        style = {"marker": "o", "ms": 4, "label": mode, **line_style(index)}
        step = np.array([row.step for row in found]) * 1e3
        spread = np.array([[r.step - r.least, r.most - r.step] for r in found]).T * 1e3
        panels[0, 0].errorbar(across, step, spread, capsize=2, **style)
        panels[0, 1].plot(across, [row.throughput for row in found], **style)
        panels[1, 0].plot(across, [row.speed_up for row in found], **style)
        panels[1, 1].plot(across, [row.efficiency for row in found], **style)
    # A straight line, which a logarithmic axis bends.
    ideal = np.geomspace(1, most, 50)
    panels[1, 0].plot(ideal, ideal, color=INK, lw=0.8, ls=":", label="ideal")
    panels[1, 1].axhline(1, color=INK, lw=0.8, ls=":")
    titles = ("ms per step", "points per second", "speed-up", "efficiency")
    notes = ("", "", "T1/Tp strong, p T1/Tp weak", "T1/(p Tp) strong, T1/Tp weak")
    for axes, title, note in zip(panels.flat, titles, notes, strict=True):
        axes.set_title(f"{title}: {note}" if note else title)
        axes.set_ylim(bottom=0)
        axes.grid(True)
        _processes(axes, sorted({row.processes for found in rows.values() for row in found}))
    for axes in panels[1]:
        axes.set_xlabel("processes")
    panels[0, 0].legend()
    return picture


@in_style
def plot_split(rows: Mapping[str, Sequence[Row]]) -> Figure:
    """Draw how a step divides into computing, communication and waiting, and the memory."""
    picture = figure(9.6, 3.2)
    panels = picture.subplots(1, len(rows) + 1, squeeze=False)[0]
    for axes, (mode, found) in zip(panels, rows.items(), strict=False):
        labels = [str(row.processes) for row in found]
        below = np.zeros(len(found))
        for index, part in enumerate(_PARTS):
            heights = np.array([getattr(row, part) for row in found]) * 1e3
            axes.bar(labels, heights, 0.6, bottom=below, color=COLOURS[index], label=part)
            below = below + heights
        axes.set_title(f"{mode}: ms per step")
        axes.set_xlabel("processes")
        axes.legend()
        panels[-1].plot(labels, [r.memory_mib for r in found], marker="o", ms=4, label=mode)
    panels[-1].set_title("MiB of the largest process")
    panels[-1].set_xlabel("processes")
    panels[-1].set_ylim(0, 1.25 * max(r.memory_mib for found in rows.values() for r in found))
    panels[-1].legend()
    return picture


@in_style
def errors(runs: Sequence[Facts]) -> Figure | None:
    """Draw the first repeats' error over steps and over seconds; None without a reference."""
    shown = [run for run in runs if run["repeat"] == 1 and run["curve"]]
    if not shown:
        return None
    picture = figure(9.6, 3.4)
    left, right = picture.subplots(1, 2, sharey=True)
    for index, run in enumerate(shown):
        steps, seconds, values = np.array(run["curve"]).T
        one = run["processes"] == 1
        label = "1 process" if one else f"{run['mode']}, {run['processes']}"
        style = {"marker": "o", "ms": 3, "label": label, **line_style(index)}
        left.plot(steps, values, **style)
        right.plot(seconds, values, **style)
    left.set_ylabel("largest relative L2 error")
    left.set_xlabel("steps")
    right.set_xlabel("seconds")
    for axes in (left, right):
        log_axis(axes)
    left.legend()
    return picture


@in_style
def prediction(curves: Sequence[Curve], rows: Mapping[str, Sequence[Row]]) -> Figure:
    """Draw the predicted efficiency with its spread, and where a step's time goes."""
    picture = figure(9.6, 3.6)
    panels = picture.subplots(1, len(curves) + 1, squeeze=False)[0]
    for index, curve in enumerate(curves):
        across = [step.processes for step in curve.steps]
        style = line_style(index)
        panels[0].plot(across, curve.efficiency, marker="o", ms=3, label=curve.mode, **style)
        panels[0].fill_between(across, curve.low, curve.high, alpha=0.2, color=style["color"])
        measured = [row for row in rows.get(curve.mode, ()) if row.processes > 1]
        if measured:
            across_measured = [row.processes for row in measured]
            seen = [row.efficiency for row in measured]
            label = f"{curve.mode}, measured"
            panels[0].plot(across_measured, seen, "x", ms=7, color=style["color"], label=label)
        _stacked(panels[index + 1], curve)
    panels[0].axhline(0.8, color=INK, lw=0.8, ls=":")
    panels[0].set_ylim(0, 1.1)
    panels[0].set_title("efficiency, 90 % of resamplings")
    panels[0].legend()
    for axes in panels:
        _processes(axes, sorted({step.processes for curve in curves for step in curve.steps}))
        axes.set_xlabel("processes")
        axes.grid(True)
    return picture


def _stacked(axes: Axes, curve: Curve) -> None:
    parts = ("computing", "straggling", "latency", "moving")
    across = [step.processes for step in curve.steps]
    heights = [[getattr(step, part) * 1e3 for step in curve.steps] for part in parts]
    axes.stackplot(across, heights, labels=parts, colors=COLOURS[: len(parts)], alpha=0.85)
    axes.set_title(f"{curve.mode}: ms per step")
    falls = curve.steps[0].total > curve.steps[-1].total
    axes.legend(loc="upper right" if falls else "upper left")


def _processes(axes: Axes, counts: Sequence[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
