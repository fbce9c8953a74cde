"""Heat maps of the solution and its reference, on plane sections of the domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from pdehvd.results.data_points import DataPoints, data_points
from pdehvd.results.plot_style import ERRORS, VALUES, figure, in_style, labelled
from pdehvd.results.plots_maps import colour_scale, draw_map, finite_range, row_height
from pdehvd.results.sections import PlaneSection, SectionGrid
from pdehvd.results.solution import compare_at
from pdehvd.results.trained_points import TrainedAtPoints
from pdehvd.spec.plain import Facts

PIXELS = 241
WIDTH = 9.6


@dataclass(frozen=True)
class Sheet:
    """Values on the grid of a section, [PIXELS, PIXELS] a field, NaN outside the domain."""

    grid: SectionGrid
    values: dict[str, np.ndarray]
    truths: dict[str, np.ndarray]


def sheet(trained: TrainedAtPoints, section: PlaneSection) -> Sheet | None:
    """Return the values on a section, or None where it misses the domain."""
    grid = SectionGrid(trained.problem.domain, section, PIXELS)
    if not grid.inside.any():
        return None
    values, truths = compare_at(trained, grid.points)
    return Sheet(grid, grid.filled(values), grid.filled(truths))


@in_style
def heat_maps(trained: TrainedAtPoints, sheets: list[Sheet], name: str) -> Figure:
    """Draw a field: a row a section; columns solution, reference and error where it is known.

    Circles on the solution are measured values, close to the section, in the same colours.
    """
    both = name in sheets[0].truths
    columns = 3 if both else 1
    width = WIDTH if both else 4.6
    height = sum(row_height(shown.grid, 0.8 * width / columns) for shown in sheets)
    picture = figure(width, 0.6 + height, to_scale=sheets[0].grid.to_scale)
    panels = picture.subplots(len(sheets), columns, squeeze=False)
    value_scale, error_scale = _scales(sheets, name)
    for axes, shown in zip(panels, sheets, strict=True):
        image = draw_map(axes[0], shown.grid, shown.values[name], VALUES, value_scale)
        for table in data_points(trained, name):
            _measured(axes[0], shown, table, value_scale)
        if both:
            error = shown.values[name] - shown.truths[name]
            draw_map(axes[1], shown.grid, shown.truths[name], VALUES, value_scale)
            error_image = draw_map(axes[2], shown.grid, error, ERRORS, error_scale)
    labels = trained.problem.labels
    names = [labelled(labels, name) for name in trained.problem.domain.names]
    _label(panels, sheets, names, labelled(labels, name))
    bar: Facts = {
        "aspect": 22 * len(sheets),
        "pad": 0.015,
        "shrink": 1.0 if len(sheets) == 1 else 0.7,
    }
    beyond = _extend(sheets, name, value_scale)
    picture.colorbar(image, ax=panels[:, : 2 if both else 1], extend=beyond, **bar)
    if both:
        picture.colorbar(error_image, ax=panels[:, 2], **bar)
    return picture


def _scales(sheets: list[Sheet], name: str) -> tuple[Normalize, Normalize]:
    """Return the colour scales of values (the reference's range where known) and of errors."""
    shown = [each.truths.get(name, each.values[name]) for each in sheets]
    errors = [each.values[name] - each.truths[name] for each in sheets if name in each.truths]
    size = max(map(abs, finite_range(errors))) or 1.0 if errors else 1.0
    return colour_scale(shown), Normalize(-size, size)


def _extend(sheets: list[Sheet], name: str, scale: Normalize) -> str:
    """Say at which ends of the colour bar the solution leaves the reference's range visibly."""
    low, high = finite_range([each.values[name] for each in sheets])
    slack = 0.02 * (scale.vmax - scale.vmin)  # type: ignore[operator]
    ends = (low < scale.vmin - slack, high > scale.vmax + slack)  # type: ignore[operator]
    return {(False, False): "neither", (True, False): "min", (False, True): "max"}.get(ends, "both")


def _measured(axes: Axes, shown: Sheet, table: DataPoints, scale: Normalize) -> None:
    """Draw measured values near a section, in the colours of the solution below them."""
    seen = table.near(shown.grid.bounds, shown.grid.section.fixed).thinned()
    across, up = seen.x[:, shown.grid.section.horizontal], seen.x[:, shown.grid.section.vertical]
    axes.scatter(
        *(across, up, 11),
        c=seen.values,
        cmap=VALUES,
        norm=scale,
        edgecolors="white",
        linewidths=0.4,
        clip_on=False,
        zorder=3,
    )


def _label(panels: np.ndarray, sheets: list[Sheet], names: Sequence[str], name: str) -> None:
    """Title the first row; label the outer panels, with a section's place next to its row."""
    titles = (
        f"{name}: solution",
        f"{name}: reference",
        f"{name}: solution \N{MINUS SIGN} reference",
    )
    for panel, title in zip(panels[0], titles, strict=False):
        panel.set_title(title)
    same = len({shown.grid.section.horizontal for shown in sheets}) == 1
    for axes, shown in zip(panels, sheets, strict=True):
        place = f"{shown.grid.title}\n" if shown.grid.title else ""
        axes[0].set_ylabel(place + names[shown.grid.section.vertical], linespacing=1.6)
        for panel in axes[1:]:
            panel.tick_params(labelleft=False)
        for panel in axes:
            if same and shown is not sheets[-1]:
                panel.tick_params(labelbottom=False)
            else:
                panel.set_xlabel(names[shown.grid.section.horizontal])
