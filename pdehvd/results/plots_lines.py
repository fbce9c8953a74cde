"""Line pictures of the solution over its reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pdehvd.results.data_points import DataPoints, data_points
from pdehvd.results.plot_style import COLOURS, INK, figure, in_style, labelled
from pdehvd.results.solution import compare_at, line, line_along, solution_at, truth, values_along
from pdehvd.results.trained_points import TrainedAtPoints

SAMPLES = 401
WIDTH = 9.6


@in_style
def slices(trained: TrainedAtPoints, name: str, count: int = 4) -> Figure:
    """Draw u over one of two coordinates at several values of the other, over its reference.

    The other is the time, or a parameter.
    """
    domain = trained.problem.domain
    bounds = np.asarray(domain.bounds, dtype=float)
    free = [axis for axis, one in enumerate(domain.names) if one not in trained.fixed]
    sliced = next(a for a in free if domain.names[a] in (domain.time, *domain.parameters))
    (along,) = (axis for axis in free if axis != sliced)
    labels = trained.problem.labels
    picture = figure(WIDTH, 2.7)
    panels = picture.subplots(1, count, sharey=True)
    points = line_along(trained, along, SAMPLES)
    for axes, at in zip(panels, values_along(domain, domain.names[sliced], count), strict=True):
        points[:, sliced] = at
        _pair(axes, points[:, along], *compare_at(trained, points), name)
        place = {axis: float(points[0, axis]) for axis in range(len(bounds)) if axis != along}
        for table in data_points(trained, name):
            _dots(axes, table.near(bounds, place), along)
        axes.set_title(f"{domain.names[sliced]} = {at:.4g}")
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.set_xlabel(labelled(labels, domain.names[along]))
    panels[0].set_ylabel(labelled(labels, name))
    _legend(picture, panels)
    return picture


@in_style
def plot_lines(trained: TrainedAtPoints, fields: Sequence[str]) -> Figure:
    """Draw fields over the one coordinate that is not fixed, their errors below where known."""
    domain = trained.problem.domain
    along, points = line(trained, 4 * SAMPLES)
    place = {domain.names.index(name): at for name, at in trained.fixed.items()}
    bounds = np.asarray(domain.bounds, dtype=float)
    values, known = solution_at(trained, points), truth(trained, points)
    truths = {name: known[name] for name in fields if name in known}
    labels = trained.problem.labels
    picture = figure(7.2, 0.5 + 1.9 * len(fields) + (1.9 if truths else 0.0))
    rows = len(fields) + bool(truths)
    panels = picture.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(panels, fields, strict=False):
        _pair(axes, points[:, along], values, truths, name)
        for table in data_points(trained, name):
            _dots(axes, table.near(bounds, place), along)
        axes.set_ylabel(labelled(labels, name))
    if truths:
        across = points[:, along]
        for index, name in enumerate(truths):
            error = values[name] - truths[name]
            label = labelled(labels, name)
            panels[-1].plot(across, error, color=COLOURS[index], linewidth=1.1, label=label)
        panels[-1].axhline(0, color=INK, linewidth=0.6)
        panels[-1].set_ylabel("error")
        panels[-1].grid(True)
        if len(truths) > 1:
            panels[-1].legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    panels[-1].set_xlabel(labelled(labels, domain.names[along]))
    panels[-1].margins(x=0.01)
    picture.align_ylabels(panels)
    _legend(picture, panels[: len(fields)])
    return picture


def _pair(
    axes: Axes,
    across: np.ndarray,
    values: dict[str, np.ndarray],
    truths: dict[str, np.ndarray],
    name: str,
) -> None:
    """Draw the reference as a broad pale line and the solution as a dashed one on top."""
    if name in truths:
        axes.plot(across, truths[name], color="#A9C9E2", linewidth=3.6, label="reference")
    axes.plot(
        across, values[name], color=COLOURS[1], linewidth=1.3, linestyle="--", label="solution"
    )
    axes.grid(True)
    axes.margins(x=0.01)


def _dots(axes: Axes, table: DataPoints, along: int) -> None:
    """Draw measured values as dots."""
    seen = table.thinned()
    if len(seen.x):
        axes.scatter(
            *(seen.x[:, along], seen.values, 8),
            color=INK,
            alpha=0.6,
            linewidths=0,
            label="measured",
            zorder=3,
        )


def _legend(picture: Figure, panels: np.ndarray) -> None:
    """Explain what all panels show at once: a reference may know some of the fields only."""
    shown: dict[str, Artist] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        shown |= dict(zip(labels, handles, strict=True))
    picture.legend(shown.values(), shown.keys(), loc="outside upper right", ncols=len(shown))
