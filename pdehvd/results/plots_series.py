"""Pictures of a solution in a series: at values of a parameter, or of the time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from pdehvd.assembly.trained_run import Frame
from pdehvd.problems.geometry import Domain
from pdehvd.results.html_page import FRAMES
from pdehvd.results.plot_style import VALUES, figure, in_style, labelled
from pdehvd.results.plots_fields import Sheet, sheet
from pdehvd.results.plots_maps import colour_scale, draw_map
from pdehvd.results.sections import sections
from pdehvd.results.solution import values_along
from pdehvd.results.trained_points import TrainedAtPoints

# Panels side by side, and the width of one.
_ACROSS, _WIDTH = 3, 3.4


def point_series(trained: TrainedAtPoints) -> dict[str, list[Frame]]:
    """Return the series of a run by the name of what varies: each parameter, and the time.

    Planes are drawn, so that there are none along the only time of a line, or of two coordinates
    in all. Other parameters have their middle values.
    """
    domain = trained.problem.domain
    return {name: frames for name in _varying(domain) if (frames := list(_frames(trained, name)))}


def _varying(domain: Domain) -> list[str]:
    """Return what may vary while a plane is drawn."""
    if len(domain.names) - len(domain.parameters) < 2:
        return []
    times = [] if domain.time is None or len(domain.space) < 2 else [domain.time]
    return [*domain.parameters, *times]


def _frames(trained: TrainedAtPoints, name: str) -> Iterator[Frame]:
    domain = trained.problem.domain
    others = [one for one in domain.parameters if one != name]
    middle = domain.at_shares(others, np.full((1, len(others)), 0.5))[0].tolist()
    place = dict(zip(others, middle, strict=True))
    sheets: dict[float, Sheet] = {}
    for value in np.unique(values_along(domain, name, FRAMES)).tolist():
        shown = sheet(trained, sections(domain, {**place, name: value})[-1])
        if shown is not None:
            sheets[value] = shown
    scales = {
        field: colour_scale([shown.values[field] for shown in sheets.values()])
        for field in trained.problem.outputs
    }
    for value, shown in sheets.items():
        yield Frame(f"{name} = {value:.4g}", _frame(trained, shown, scales))


@in_style
def _frame(trained: TrainedAtPoints, shown: Sheet, scales: Mapping[str, Normalize]) -> Figure:
    """Draw all outputs on a plane, in colours that hold for the whole series."""
    labels = trained.problem.labels
    names = [labelled(labels, name) for name in trained.problem.domain.names]
    columns = min(len(scales), _ACROSS)
    rows = -(-len(scales) // columns)
    picture = figure(_WIDTH * columns + 0.8, 2.9 * rows, to_scale=shown.grid.to_scale)
    panels = picture.subplots(rows, columns, squeeze=False)
    for axes in panels.flat[len(scales) :]:
        axes.set_axis_off()
    for axes, (field, scale) in zip(panels.flat, scales.items(), strict=False):
        image = draw_map(axes, shown.grid, shown.values[field], VALUES, scale)
        axes.set_title(labelled(labels, field))
        axes.set_xlabel(names[shown.grid.section.horizontal])
        axes.set_ylabel(names[shown.grid.section.vertical])
        picture.colorbar(image, ax=axes, shrink=0.9)
    return picture
