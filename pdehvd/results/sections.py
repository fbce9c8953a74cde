"""Plane sections of a domain: where pictures of two or more coordinates look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from textwrap import fill

import numpy as np

from pdehvd.problems.geometry import Domain
from pdehvd.results.solution import span

# Letters in a line of a label next to a panel; how many coordinates of one value it names each with
# the value, and how many it names at all.
_PLACE, _APART, _NAMED = 32, 3, 8
# Into so many parts along each coordinate a pixel is divided on the edge of a domain.
_FINER = 4
# Of its values, where pictures show a parameter: the lowest, the middle one, the highest.
SHARES = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class PlaneSection:
    """A plane section of the domain: two coordinates run, the others are fixed."""

    horizontal: int
    vertical: int
    fixed: dict[int, float] = field(default_factory=dict)


def sections(domain: Domain, fixed: Mapping[str, float] | None = None) -> list[PlaneSection]:
    """Return the sections that show a domain of two or more coordinates that are not fixed.

    1-D + t: the one of space and time. 2-D: the plane. 2-D + t: the plane at three times. 3-D and
    more: the middle planes, at the final time where there is one. With parameters: one of these
    planes at their lowest, middle and highest values.
    """
    names = domain.names
    given = {names.index(name): value for name, value in (fixed or {}).items()}
    free = [name for name in names if name not in (fixed or {})]
    held = [name for name in domain.parameters if name in free]
    # Two coordinates run: where there are fewer, also the first parameters.
    held = held[max(2 - (len(free) - len(held)), 0) :]
    if not held:
        return _planes(domain, given)
    axes = [names.index(name) for name in held]
    shares = np.broadcast_to(np.array(SHARES)[:, None], (len(SHARES), len(held)))
    places = domain.at_shares(held, shares)
    planes = [
        _planes(domain, given | dict(zip(axes, values.tolist(), strict=True))) for values in places
    ]
    # Of the planes at several times the last; else the first.
    timed = domain.time in free and len(free) - len(held) == 3
    return [several[-1 if timed else 0] for several in planes]


def _planes(domain: Domain, given: Mapping[int, float]) -> list[PlaneSection]:
    bounds = np.asarray(domain.bounds, dtype=float)
    space = [a for a, name in enumerate(domain.names) if a not in given and name != domain.time]
    time = -1 if domain.time is None else domain.names.index(domain.time)
    timed = time >= 0 and time not in given
    if len(space) == 1:
        return [PlaneSection(space[0], time, dict(given))]
    if len(space) == 2:
        times = [{time: when} for when in span(bounds[time], 3)] if timed else [{}]
        return [PlaneSection(space[0], space[1], {**given, **at}) for at in times]
    middle = {**given, **{axis: float(bounds[axis].mean()) for axis in space}}
    if timed:
        middle[time] = float(bounds[time, 1])
    planes = [(space[0], space[1]), (space[0], space[2]), (space[1], space[2])]
    return [
        PlaneSection(*plane, {axis: at for axis, at in middle.items() if axis not in plane})
        for plane in planes
    ]


@dataclass(frozen=True)
class SectionGrid:
    """The nodes of a grid of `side` x `side` on a section, and which of them are in the domain."""

    domain: Domain
    section: PlaneSection
    side: int

    @cached_property
    def bounds(self) -> np.ndarray:
        """The bounds of all coordinates, [D, 2]."""
        return np.asarray(self.domain.bounds, dtype=float)

    @property
    def extent(self) -> np.ndarray:
        """The bounds of the running coordinates, [2, 2]: horizontal, vertical."""
        return self.bounds[[self.section.horizontal, self.section.vertical]]

    @cached_property
    def _nodes(self) -> np.ndarray:
        grid = np.meshgrid(*(span(limits, self.side) for limits in self.extent))
        return self._at(np.stack([column.ravel() for column in grid], axis=1))

    def _at(self, plane: np.ndarray) -> np.ndarray:
        """Return the points [N, D] of places [N, 2] on the section."""
        points = np.empty((len(plane), len(self.bounds)))
        points[:, [self.section.horizontal, self.section.vertical]] = plane
        for index, at in self.section.fixed.items():
            points[:, index] = at
        return points

    @cached_property
    def inside(self) -> np.ndarray:
        """Which nodes [side, side] lie in the domain; the vertical coordinate comes first."""
        found = np.asarray(self.domain.contains(self._nodes), dtype=bool)
        return found.reshape(self.side, self.side)

    @property
    def points(self) -> np.ndarray:
        """The nodes in the domain, [N, D]."""
        found: np.ndarray = self._nodes[self.inside.ravel()]
        return found

    def filled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return values [N] at the nodes in the domain on the whole grid, NaN outside."""
        full = {name: np.full(self.inside.shape, np.nan) for name in values}
        for name, value in values.items():
            full[name][self.inside] = value
        return full

    @cached_property
    def fine_inside(self) -> np.ndarray:
        """Which parts of pixels lie in the domain, [4 side, 4 side].

        A pixel far from the edge is all inside or all outside; the others are looked at closely.
        """
        from scipy import ndimage

        inside = self.inside
        block = np.ones((3, 3), bool)
        far = ndimage.binary_erosion(inside, block, border_value=1)
        edge = ndimage.binary_dilation(inside, block) & ~far
        fine = inside.repeat(_FINER, 0).repeat(_FINER, 1)
        up, across = np.nonzero(edge.repeat(_FINER, 0).repeat(_FINER, 1))
        if len(up):
            low, high = self.extent.T
            shares = (np.stack([across, up], axis=1) + 0.5) / (_FINER * self.side)
            fine[up, across] = self.domain.contains(self._at(low + shares * (high - low)))
        values: np.ndarray = fine
        return values

    @property
    def title(self) -> str:
        """Where the section lies, in lines as narrow as a panel."""
        names = tuple(self.domain.names)
        return _place({names[index]: at for index, at in self.section.fixed.items()})

    @property
    def to_scale(self) -> bool:
        """Whether both coordinates are lengths of a similar range, so that shapes are kept."""
        running = [self.section.horizontal, self.section.vertical]
        if self.domain.time in [self.domain.names[index] for index in running]:
            return False
        spans = np.ptp(self.extent, axis=1)
        return bool(spans.max() <= 5 * spans.min())


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
