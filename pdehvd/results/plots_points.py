"""All pictures of a solution in its coordinates."""

from __future__ import annotations

from matplotlib.figure import Figure

from pdehvd.results.plots_fields import heat_maps, sheet
from pdehvd.results.plots_fit import plot_fit
from pdehvd.results.plots_lines import plot_lines, slices
from pdehvd.results.plots_residuals import plot_residuals
from pdehvd.results.sections import sections
from pdehvd.results.trained_points import TrainedAtPoints


def point_pictures(trained: TrainedAtPoints) -> dict[str, Figure]:
    """Return the pictures of the solution by name, with its reference where that is known.

    1-D with time as a heat map and slices, 2-D as heat maps, 3-D as middle planes, one coordinate
    as lines, at the coordinates that the run has fixed; measured values over the fields, and the
    fit of the network to them; the residuals of the equations.
    """
    fitted = {"fit": plot_fit(trained)} if trained.measured_fields else {}
    return {**solution_pictures(trained), **plot_residuals(trained), **fitted}


def solution_pictures(trained: TrainedAtPoints) -> dict[str, Figure]:
    """Return the pictures of all outputs, each in the coordinates that it depends on."""
    domain = trained.problem.domain
    running = [name for name in domain.names if name not in trained.fixed]
    groups: dict[tuple[str, ...], list[str]] = {}
    for output in trained.problem.outputs:
        own = tuple(name for name in trained.problem.arguments(output) if name in running)
        groups.setdefault(own or tuple(running), []).append(output)
    pictures: dict[str, Figure] = {}
    for own, outputs in groups.items():
        others = [name for name in running if name not in own]
        middle = {name: float(domain.bounds[domain.names.index(name)].mean()) for name in others}
        pictures |= _pictures(trained.at(middle), outputs, len(running) == 1)
    return pictures


def _pictures(trained: TrainedAtPoints, outputs: list[str], together: bool) -> dict[str, Figure]:
    """Return pictures over the coordinates that are not fixed; `together`: lines in one picture."""
    domain = trained.problem.domain
    running = [name for name in domain.names if name not in trained.fixed]
    if len(running) == 1:
        parts = {"solution": outputs} if together else {f"solution_{n}": [n] for n in outputs}
        return {name: plot_lines(trained, shown) for name, shown in parts.items()}
    places = sections(domain, trained.fixed)
    sheets = [shown for shown in (sheet(trained, place) for place in places) if shown]
    pictures: dict[str, Figure] = {}
    for name in outputs:
        if sheets:
            pictures[f"solution_{name}"] = heat_maps(trained, sheets, name)
        if len(running) == 2 and {domain.time, *domain.parameters} & set(running):
            pictures[f"slices_{name}"] = slices(trained, name)
    return pictures
