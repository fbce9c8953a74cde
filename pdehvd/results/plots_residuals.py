"""Where the equations do not hold: their residuals over the domain."""

from __future__ import annotations

from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from pdehvd.problems.geometry import Domain
from pdehvd.results.plot_style import COLOURS, ERRORS, INK, figure, in_style, labelled
from pdehvd.results.plots_maps import draw_map, row_height
from pdehvd.results.sections import SectionGrid, sections
from pdehvd.results.solution import line, residuals_at
from pdehvd.results.trained_points import TrainedAtPoints

PIXELS, SAMPLES = 161, 1201
# The colours cover this share of the sizes: a few large residuals would leave the rest white.
_SHARE = 0.99
_COLUMNS, _PANEL = 3, 3.2
_TITLE = 34


def plot_residuals(trained: TrainedAtPoints) -> dict[str, Figure]:
    """Return the picture `residuals`: each equation on the sections of the domain, or as lines.

    Nothing where no section meets the domain, or no residual is finite.
    """
    domain = trained.problem.domain
    if len(domain.names) - len(trained.fixed) == 1:
        along, points = line(trained, SAMPLES)
        found = _finite(residuals_at(trained, points))
        return {"residuals": _lines(trained, along, points[:, along], found)} if found else {}
    grids = [SectionGrid(domain, section, PIXELS) for section in sections(domain, trained.fixed)]
    grids = [grid for grid in grids if grid.inside.any()]
    values = [grid.filled(residuals_at(trained, grid.points)) for grid in grids]
    names = list(_finite(values[0])) if values else []
    return {"residuals": _maps(trained, grids, values, names)} if names else {}


def _finite(residuals: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: values for name, values in residuals.items() if np.isfinite(values).any()}


@in_style
def _lines(
    trained: TrainedAtPoints, along: int, across: np.ndarray, residuals: dict[str, np.ndarray]
) -> Figure:
    """Draw the residual of each equation over the one coordinate that is not fixed."""
    picture = figure(7.2, 0.6 + 1.5 * len(residuals))
    panels = picture.subplots(len(residuals), 1, sharex=True, squeeze=False)[:, 0]
    for number, (axes, (name, values)) in enumerate(zip(panels, residuals.items(), strict=True)):
        axes.plot(across, values, color=COLOURS[number % len(COLOURS)], linewidth=1.1)
        axes.axhline(0, color=INK, linewidth=0.6)
        axes.set_ylabel(name)
        axes.grid(True)
        axes.margins(x=0.01)
    panels[0].set_title("Residuals of the equations", loc="left")
    panels[-1].set_xlabel(labelled(trained.problem.labels, trained.problem.domain.names[along]))
    picture.align_ylabels(panels)
    return picture


@in_style
def _maps(
    trained: TrainedAtPoints,
    grids: list[SectionGrid],
    values: list[dict[str, np.ndarray]],
    names: list[str],
) -> Figure:
    """Draw a panel for each equation and section; an equation has one scale of colours."""
    columns = min(len(names), _COLUMNS)
    rows = -(-len(names) // columns) * len(grids)
    heights = [row_height(grid, 0.75 * _PANEL) for grid in grids]
    height = 0.6 + sum(heights) * rows / len(grids)
    picture = figure(0.6 + _PANEL * columns, height, to_scale=grids[0].to_scale)
    panels = picture.subplots(rows, columns, squeeze=False)
    for number, name in enumerate(names):
        block, column = divmod(number, columns)
        own = panels[block * len(grids) : (block + 1) * len(grids), column]
        scale = _scale([one[name] for one in values])
        for axes, grid, one in zip(own, grids, values, strict=True):
            image = draw_map(axes, grid, one[name], ERRORS, scale)
            _name_axes(axes, trained.problem.domain, grid, trained, first=column == 0)
        own[0].set_title(fill(f"residual of {name}", _TITLE))
        picture.colorbar(image, ax=own, extend="both", pad=0.02, shrink=0.85, aspect=20)
    for axes in panels.flat:
        if not axes.get_images():
            axes.set_axis_off()
    return picture


def _name_axes(
    axes: Axes, domain: Domain, grid: SectionGrid, trained: TrainedAtPoints, first: bool
) -> None:
    labels, section = trained.problem.labels, grid.section
    axes.set_xlabel(labelled(labels, domain.names[section.horizontal]))
    if first:
        place = f"{grid.title}\n" if grid.title else ""
        axes.set_ylabel(place + labelled(labels, domain.names[section.vertical]), linespacing=1.6)
    else:
        axes.tick_params(labelleft=False)


def _scale(values: list[np.ndarray]) -> Normalize:
    sizes = np.abs(np.concatenate([one[np.isfinite(one)] for one in values]))
    size = float(np.quantile(sizes, _SHARE)) or float(sizes.max()) or 1.0
    return Normalize(-size, size)
