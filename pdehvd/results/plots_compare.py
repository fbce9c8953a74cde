"""The curves of several runs in one figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pdehvd.errors import ConfigError
from pdehvd.results.comparison import ComparedRun
from pdehvd.results.plot_style import COLOURS, DASHES, INK, figure, in_style, line_style, log_axis
from pdehvd.results.plots_curves import columns_with, series

_LOSS, _ERROR = "loss/total", "relative_l2/"
_AGAINST = {"step": "step", "seconds": "seconds of training"}
_FEW = 40


@in_style
def plot_comparison(runs: Sequence[ComparedRun]) -> Figure:
    """Draw losses, and below errors where a run has some, against steps and against seconds.

    A run has a colour; where there are several fields, each has dashes of its own.
    Raises `ConfigError` where no run has logged a loss.
    """
    if not any(columns_with(run.history, _LOSS) for run in runs):
        raise ConfigError("no run has logged a loss yet", ("output",), "runs with metrics")
    fields = list(dict.fromkeys(name for run in runs for name in columns_with(run.history, _ERROR)))
    rows = [("loss", [_LOSS])] + ([("relative $L^2$ error", fields)] if fields else [])
    picture = figure(10.0, 0.5 + 3.1 * len(rows) + 0.16 * max(len(runs) - 12 * len(rows), 0))
    panels = picture.subplots(len(rows), 2, sharey="row", squeeze=False)
    for row, (label, names) in zip(panels, rows, strict=True):
        for axes, against in zip(row, _AGAINST, strict=True):
            for number, run in enumerate(runs):
                _curves(axes, run, names, against, number)
            _finish(axes, _AGAINST[against])
        row[0].set_ylabel(label)
    handles = [_sample(run.label, **line_style(number)) for number, run in enumerate(runs)]
    if len(fields) > 1:
        names = [name.removeprefix(_ERROR) for name in fields]
        handles += [_sample(name, INK, _dashes(index)) for index, name in enumerate(names)]
    picture.legend(handles=handles, loc="outside right upper")
    return picture


def _curves(axes: Axes, run: ComparedRun, names: Sequence[str], against: str, number: int) -> None:
    """Draw columns of one run; a column that is alone has the dashes of its run."""
    style = line_style(number)
    for index, name in enumerate(names):
        if name not in columns_with(run.history, name):
            continue
        across, values = series(run.history, name, against)
        axes.plot(
            across,
            values,
            color=COLOURS[number % len(COLOURS)],
            linestyle=style["linestyle"] if len(names) == 1 else _dashes(index),
            linewidth=1.3,
            marker="o" if len(values) <= _FEW else None,
            markersize=2.5,
        )


def _sample(label: str, color: str, linestyle: str) -> Line2D:
    """Return what a legend shows of a line."""
    line = Line2D([], [], color=color, label=label)
    line.set_linestyle(linestyle)  # type: ignore[arg-type]
    return line


def _dashes(index: int) -> str:
    return DASHES[index % len(DASHES)]


def _finish(axes: Axes, label: str) -> None:
    if any(np.any(np.asarray(line.get_ydata()) > 0) for line in axes.get_lines()):
        log_axis(axes)
    else:
        axes.grid(True)
    axes.set_xlabel(label)
    axes.margins(x=0.01)
