"""Line pictures of the solution over its reference."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pdehvd.results.data_points import DataPoints, data_points
from pdehvd.results.plot_style import COLOURS, INK, figure, in_style, labelled
from pdehvd.results.solution import compare_at, solution_at, span, truth
from pdehvd.results.trained_points import TrainedAtPoints

SAMPLES = 401
WIDTH = 9.6


@in_style
def slices(trained: TrainedAtPoints, name: str, times: int = 4) -> Figure:
    """Draw u(x) of a 1-D problem at several times, over its reference."""
    domain = trained.problem.domain
    bounds = np.asarray(domain.bounds, dtype=float)
    time = tuple(domain.names).index(domain.time)
    space = 1 - time
    labels = trained.problem.labels
    picture = figure(WIDTH, 2.7)
    panels = picture.subplots(1, times, sharey=True)
    points = np.empty((SAMPLES, 2))
    points[:, space] = span(bounds[space], SAMPLES)
    for axes, when in zip(panels, span(bounds[time], times), strict=True):
        points[:, time] = when
        _pair(axes, points[:, space], *compare_at(trained, points), name)
        for table in data_points(trained, name):
            _dots(axes, table.near(bounds, {time: when}), space)
        axes.set_title(f"{domain.time} = {when:.4g}")
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.set_xlabel(labelled(labels, domain.names[space]))
    panels[0].set_ylabel(labelled(labels, name))
    _legend(picture, panels)
    return picture


@in_style
def plot_lines(trained: TrainedAtPoints) -> Figure:
    """Draw every field of a problem with one coordinate, and its error below where it is known."""
    domain = trained.problem.domain
    points = span(np.asarray(domain.bounds, dtype=float)[0], 4 * SAMPLES)[:, None]
    values, truths = solution_at(trained, points), truth(trained, points)
    fields, labels = trained.problem.outputs, trained.problem.labels
    picture = figure(7.2, 0.5 + 1.9 * len(fields) + (1.9 if truths else 0.0))
    rows = len(fields) + bool(truths)
    panels = picture.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(panels, fields, strict=False):
        _pair(axes, points[:, 0], values, truths, name)
        for table in data_points(trained, name):
            _dots(axes, table, 0)
        axes.set_ylabel(labelled(labels, name))
    if truths:
        for index, name in enumerate(truths):
            error = values[name] - truths[name]
            label = labelled(labels, name)
            panels[-1].plot(points[:, 0], error, color=COLOURS[index], linewidth=1.1, label=label)
        panels[-1].axhline(0, color=INK, linewidth=0.6)
        panels[-1].set_ylabel("error")
        panels[-1].grid(True)
        if len(truths) > 1:
            panels[-1].legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    panels[-1].set_xlabel(labelled(labels, domain.names[0]))
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
