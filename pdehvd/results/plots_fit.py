"""How well a network fits the data: its values over the measured ones."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pdehvd.errors import counted
from pdehvd.results.data_points import DataPoints, data_points
from pdehvd.results.plot_style import COLOURS, INK, figure, in_style, labelled
from pdehvd.results.solution import solution_at
from pdehvd.results.trained_points import TrainedAtPoints

_COLUMNS, _SIDE = 3, 3.2


@in_style
def plot_fit(trained: TrainedAtPoints) -> Figure:
    """Draw a panel for each measured field: predicted over measured, and the line of no error."""
    fields = trained.measured_fields
    columns = min(len(fields), _COLUMNS)
    rows = math.ceil(len(fields) / columns)
    picture = figure(0.4 + _SIDE * columns, 0.5 + _SIDE * rows)
    panels = picture.subplots(rows, columns, squeeze=False).flat
    for axes, name in zip(panels, fields, strict=False):
        _panel(axes, trained, name)
    for axes in list(panels)[len(fields) :]:
        axes.set_axis_off()
    return picture


def _panel(axes: Axes, trained: TrainedAtPoints, name: str) -> None:
    """Draw one field: each table in a colour of its own."""
    tables = data_points(trained, name)
    predicted = [solution_at(trained, table.x)[name] for table in tables]
    for index, (table, found) in enumerate(zip(tables, predicted, strict=True)):
        dots = DataPoints(table.table, np.stack([table.values, found], 1), found).thinned()
        axes.scatter(
            *(*dots.x.T, 9),
            color=COLOURS[index % len(COLOURS)],
            alpha=0.5,
            linewidths=0,
            label=table.table,
        )
    measured, found = np.concatenate([table.values for table in tables]), np.concatenate(predicted)
    both = np.concatenate([measured, found])
    ends = [float(both.min()), float(both.max())]
    axes.plot(ends, ends, color=INK, linewidth=0.8, zorder=1)
    rms = math.sqrt(float(np.mean((found - measured) ** 2)))
    label = labelled(trained.problem.labels, name)
    axes.set_title(f"{label}: rms difference {rms:.3g} at {counted(len(measured), 'point')}")
    axes.set_xlabel(f"measured {label}")
    axes.set_ylabel(f"predicted {label}")
    axes.set_box_aspect(1)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(True)
    if len(tables) > 1:
        axes.legend(loc="upper left")
