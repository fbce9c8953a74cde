"""The domain of a problem before any training: its shape, and its conditions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pdehvd.errors import counted
from pdehvd.numerics.derivatives import internal
from pdehvd.problems.block import Block
from pdehvd.problems.geometry import Domain
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.results.data_points import some_of
from pdehvd.results.plot_style import COLOURS, INK, figure, in_style, labelled
from pdehvd.results.plots_maps import paint
from pdehvd.results.sections import PlaneSection, SectionGrid

# At most so many pairs of coordinates are drawn.
_PAIRS = 6
_PIXELS = 241
_INTERIOR = "#9AA5B1"


@dataclass(frozen=True)
class _Shown:
    """Points [N, D] of a block, and how they are drawn."""

    label: str
    x: np.ndarray
    marker: str
    colour: str
    size: float


@in_style
def domain_picture(problem: PDEProblem) -> Figure:
    """Draw the points of the first step: of the equations, each condition, each table.

    Two coordinates: over the shape. One: a row for each block. More: projections on pairs of
    coordinates, without the shape.
    """
    shown = list(_blocks(problem))
    names = problem.domain.names
    if len(names) == 1:
        return _rows(shown, labelled(problem.labels, names[0]))
    pairs = [(i, j) for j in range(1, len(names)) for i in range(j)][:_PAIRS]
    columns = min(len(pairs), 3)
    rows = -(-len(pairs) // columns)
    picture = figure(4.2 * columns + 2.2, 3.8 * rows)
    panels = picture.subplots(rows, columns, squeeze=False).flat
    for axes, pair in zip(panels, pairs, strict=False):
        _panel(axes, problem.domain, shown, pair)
        axes.set_xlabel(labelled(problem.labels, names[pair[0]]))
        axes.set_ylabel(labelled(problem.labels, names[pair[1]]))
    picture.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper")
    return picture


def _blocks(problem: PDEProblem) -> Iterator[_Shown]:
    """Return the points of each block, the equations' first and palest."""
    colours = iter(COLOURS * len(problem.blocks))
    for number, block in enumerate(problem.blocks):
        x = _points(block)
        label = f"{block.name}: {counted(len(x), 'point')}"
        x = x[some_of(len(x))]
        if not number:
            yield _Shown(label, x, "o", _INTERIOR, 3)
        elif block.name in problem.measured:
            yield _Shown(label, x, "x", INK, 14)
        else:
            yield _Shown(label, x, "o", next(colours), 9)


def _points(block: Block) -> np.ndarray:
    """Return the points at which a block is evaluated, without those that fill up a quadrature."""
    items = block.source.items(0, 0, block.source.count)
    weights = items.extras.get(internal("quadrature"))
    return items.x if weights is None else items.x[weights != 0]


def _panel(axes: Axes, domain: Domain, shown: list[_Shown], pair: tuple[int, int]) -> None:
    """Draw the points on two coordinates."""
    across, up = pair
    bounds = np.asarray(domain.bounds, dtype=float)[list(pair)]
    if len(domain.names) == 2:
        grid = SectionGrid(domain, PlaneSection(*pair), _PIXELS)
        paint(axes, grid, grid.fine_inside)
    for one in shown:
        axes.scatter(
            *(one.x[:, across], one.x[:, up], one.size),
            marker=one.marker,
            color=one.colour,
            linewidths=0.8 if one.marker == "x" else 0,
            label=one.label,
            clip_on=False,
            zorder=3,
        )
    spans = np.ptp(bounds, axis=1)
    lengths = domain.time not in [domain.names[axis] for axis in pair]
    if lengths and spans.max() <= 5 * spans.min():
        axes.set_aspect("equal")
    for axis, limits in zip((axes.xaxis, axes.yaxis), bounds, strict=True):
        axis.set_major_locator(MaxNLocator(5))
        margin = 0.04 * np.ptp(limits)
        axis.set_view_interval(limits[0] - margin, limits[1] + margin, ignore=True)


def _rows(shown: list[_Shown], name: str) -> Figure:
    """Draw the points on the only coordinate, a row for each block."""
    picture = figure(7.2, 0.8 + 0.4 * len(shown))
    axes = picture.subplots()
    for row, one in enumerate(shown):
        height = np.full(len(one.x), -row)
        axes.scatter(one.x[:, 0], height, one.size, marker=one.marker, color=one.colour)
    axes.set_yticks([-row for row in range(len(shown))], [one.label for one in shown])
    axes.set_ylim(0.6 - len(shown), 0.6)
    axes.grid(True, axis="x")
    axes.set_xlabel(name)
    return picture
