"""Heat maps of the solution and its reference, on plane sections of the domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from pdehvd.problems.geometry import Domain
from pdehvd.results.data_points import DataPoints, data_points
from pdehvd.results.plot_style import ERRORS, OUTSIDE, VALUES, figure, in_style, labelled
from pdehvd.results.solution import compare_at, span
from pdehvd.results.trained_points import TrainedAtPoints
from pdehvd.spec.plain import Facts

PIXELS = 241
# Letters in a line of a label next to a panel; how many coordinates of one value it names each with
# the value, and how many it names at all.
_PLACE, _APART, _NAMED = 32, 3, 8
WIDTH = 9.6


@dataclass(frozen=True)
class PlaneSection:
    """A plane section of the domain: two coordinates run, the others are fixed."""

    horizontal: int
    vertical: int
    fixed: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Sheet:
    """Values on a section, [PIXELS, PIXELS] a field, NaN outside the domain."""

    section: PlaneSection
    bounds: np.ndarray
    title: str
    to_scale: bool
    values: dict[str, np.ndarray]
    truths: dict[str, np.ndarray]

    @property
    def extent(self) -> np.ndarray:
        """Bounds of the running coordinates, [2, 2]: horizontal, vertical."""
        return self.bounds[[self.section.horizontal, self.section.vertical]]


def sections(domain: Domain) -> list[PlaneSection]:
    """Return the sections that show a domain of two or more coordinates.

    1-D + t: the one of space and time. 2-D: the plane. 2-D + t: the plane at three times. 3-D and
    more: the middle planes, at the final time where there is one.
    """
    bounds = np.asarray(domain.bounds, dtype=float)
    names = tuple(domain.names)
    time = None if domain.time is None else names.index(domain.time)
    space = [index for index in range(len(names)) if index != time]
    if len(space) == 1 and time is not None:
        return [PlaneSection(space[0], time)]
    if len(space) == 2:
        if time is None:
            return [PlaneSection(space[0], space[1])]
        return [PlaneSection(space[0], space[1], {time: when}) for when in span(bounds[time], 3)]
    middle = {index: float(bounds[index].mean()) for index in space}
    if time is not None:
        middle[time] = float(bounds[time, 1])
    planes = [(space[0], space[1]), (space[0], space[2]), (space[1], space[2])]
    return [
        PlaneSection(*plane, {index: at for index, at in middle.items() if index not in plane})
        for plane in planes
    ]


def sheet(trained: TrainedAtPoints, section: PlaneSection) -> Sheet | None:
    """Return the values on a section, or None where it misses the domain."""
    domain = trained.problem.domain
    bounds = np.asarray(domain.bounds, dtype=float)
    across = span(bounds[section.horizontal], PIXELS)
    up = span(bounds[section.vertical], PIXELS)
    points = np.empty((PIXELS * PIXELS, len(bounds)))
    grid_across, grid_up = np.meshgrid(across, up)
    points[:, section.horizontal], points[:, section.vertical] = grid_across.flat, grid_up.flat
    for index, at in section.fixed.items():
        points[:, index] = at
    inside = np.asarray(domain.contains(points), dtype=bool)
    if not inside.any():
        return None

    def on_grid(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        full = {name: np.full(len(points), np.nan) for name in values}
        for name, value in values.items():
            full[name][inside] = value
        return {name: value.reshape(PIXELS, PIXELS) for name, value in full.items()}

    names = tuple(domain.names)
    title = _place({names[index]: at for index, at in section.fixed.items()})
    found = points[inside]
    values, truths = (on_grid(fields) for fields in compare_at(trained, found))
    return Sheet(section, bounds, title, _to_scale(domain, section), values, truths)


def _place(fixed: Mapping[str, float]) -> str:
    """Say where a section lies, as narrow as a panel: many coordinates of one value share it."""
    groups: dict[str, list[str]] = {}
    for name, at in fixed.items():
        groups.setdefault(f"{at:.4g}", []).append(name)
    parts: list[str] = []
    for value, names in groups.items():
        if len(names) <= _APART:
            parts += [f"{name}~=~{value}" for name in names]
        elif len(names) <= _NAMED:
            parts.append(f"{', '.join(names)} all~=~{value}")
        else:
            parts.append(f"{len(names)} others~=~{value}")
    return fill(", ".join(parts), _PLACE).replace("~", " ")


def _to_scale(domain: Domain, section: PlaneSection) -> bool:
    """Say whether both coordinates are lengths of a similar range, so that shapes are kept."""
    running = [section.horizontal, section.vertical]
    if domain.time in [domain.names[index] for index in running]:
        return False
    spans = np.ptp(np.asarray(domain.bounds, dtype=float)[running], axis=1)
    return bool(spans.max() <= 5 * spans.min())


@in_style
def heat_maps(trained: TrainedAtPoints, sheets: list[Sheet], name: str) -> Figure:
    """Draw a field: a row a section; columns solution, reference and error where it is known.

    Circles on the solution are measured values, close to the section, in the same colours.
    """
    both = name in sheets[0].truths
    columns = 3 if both else 1
    width = WIDTH if both else 4.6
    height = sum(_row_height(shown, 0.8 * width / columns) for shown in sheets)
    picture = figure(width, 0.6 + height, to_scale=sheets[0].to_scale)
    panels = picture.subplots(len(sheets), columns, squeeze=False)
    value_scale, error_scale = _scales(sheets, name)
    for axes, shown in zip(panels, sheets, strict=True):
        image = _map(axes[0], shown, shown.values[name], VALUES, value_scale)
        for table in data_points(trained, name):
            _measured(axes[0], shown, table, value_scale)
        if both:
            error = shown.values[name] - shown.truths[name]
            _map(axes[1], shown, shown.truths[name], VALUES, value_scale)
            error_image = _map(axes[2], shown, error, ERRORS, error_scale)
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


def _row_height(shown: Sheet, width: float) -> float:
    """Return the height of a row of panels of this width."""
    if not shown.to_scale:
        return 2.4
    (left, right), (low, high) = shown.extent
    return float(np.clip(width * (high - low) / (right - left), 0.8, 4.0)) + 0.35


def _scales(sheets: list[Sheet], name: str) -> tuple[Normalize, Normalize]:
    """Return the colour scales of values (the reference's range where known) and of errors."""
    shown = [each.truths.get(name, each.values[name]) for each in sheets]
    errors = [each.values[name] - each.truths[name] for each in sheets if name in each.truths]
    low, high = _range(shown)
    if low == high:
        low, high = low - 0.5, high + 0.5
    size = max(map(abs, _range(errors))) or 1.0 if errors else 1.0
    return Normalize(low, high), Normalize(-size, size)


def _range(arrays: list[np.ndarray]) -> tuple[float, float]:
    """Return the least and the greatest finite value, (0, 0) where there is none."""
    joined = np.concatenate([array[np.isfinite(array)] for array in arrays])
    return (float(joined.min()), float(joined.max())) if joined.size else (0.0, 0.0)


def _extend(sheets: list[Sheet], name: str, scale: Normalize) -> str:
    """Say at which ends of the colour bar the solution leaves the reference's range visibly."""
    low, high = _range([each.values[name] for each in sheets])
    slack = 0.02 * (scale.vmax - scale.vmin)  # type: ignore[operator]
    ends = (low < scale.vmin - slack, high > scale.vmax + slack)  # type: ignore[operator]
    return {(False, False): "neither", (True, False): "min", (False, True): "max"}.get(ends, "both")


def _map(axes: Axes, shown: Sheet, values: np.ndarray, colours: str, scale: Normalize) -> AxesImage:
    axes.set_facecolor(OUTSIDE)
    for spine in axes.spines.values():
        spine.set_visible(False)
    image = axes.imshow(
        values,
        origin="lower",
        extent=tuple(shown.extent.flat),
        aspect="equal" if shown.to_scale else "auto",
        cmap=colours,
        norm=scale,
        interpolation="nearest",
    )
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    return image


def _measured(axes: Axes, shown: Sheet, table: DataPoints, scale: Normalize) -> None:
    """Draw measured values near a section, in the colours of the solution below them."""
    seen = table.near(shown.bounds, shown.section.fixed).thinned()
    across, up = seen.x[:, shown.section.horizontal], seen.x[:, shown.section.vertical]
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
    same = len({shown.section.horizontal for shown in sheets}) == 1
    for axes, shown in zip(panels, sheets, strict=True):
        place = f"{shown.title}\n" if shown.title else ""
        axes[0].set_ylabel(place + names[shown.section.vertical], linespacing=1.6)
        for panel in axes[1:]:
            panel.tick_params(labelleft=False)
        for panel in axes:
            if same and shown is not sheets[-1]:
                panel.tick_params(labelbottom=False)
            else:
                panel.set_xlabel(names[shown.section.horizontal])
