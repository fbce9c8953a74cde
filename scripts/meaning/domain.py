"""What a text about a region means: parts of a domain, and which of their points belong to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.stats import qmc

from scripts.meaning.shapes import Body, Rim

SAMPLES = 2**12
CLOSE = 1e-8  # relative to the extent of a coordinate: what counts as equal

Test = Callable[[np.ndarray], np.ndarray]


def everywhere(x: np.ndarray) -> np.ndarray:
    """Return True for every point [N, D]."""
    return np.ones(len(x), dtype=bool)


def cover(dimension: int, count: int, seed: int = 3) -> np.ndarray:
    """Return points of the unit cube [count, dimension]."""
    return qmc.Halton(max(dimension, 1), rng=seed).random(count)[:, :dimension]


@dataclass(eq=False)
class Place:
    """A domain: a box [D, 2], of which `columns` are those of a body."""

    names: tuple[str, ...]
    bounds: np.ndarray
    time: str | None = None
    parameters: tuple[str, ...] = ()
    body: Body | None = None
    columns: tuple[int, ...] = ()

    @property
    def space(self) -> list[int]:
        """Return the numbers of the coordinates in space."""
        other = (self.time, *self.parameters)
        return [axis for axis, name in enumerate(self.names) if name not in other]

    @property
    def extent(self) -> np.ndarray:
        """Return the extent of every coordinate [D]."""
        return self.bounds[:, 1] - self.bounds[:, 0]

    def depth(self, x: np.ndarray) -> np.ndarray:
        """Return [N], positive inside, negative outside, relative to the extents."""
        ends = np.minimum(x - self.bounds[:, 0], self.bounds[:, 1] - x) / self.extent
        if self.body is None:
            return ends.min(axis=1)
        columns = list(self.columns)
        inner = self.body.depth(x[:, columns]) / self.body.size
        return np.minimum(np.delete(ends, columns, axis=1).min(axis=1, initial=1.0), inner)

    def part(
        self, fixed: dict[int, float] | None = None, rim: Rim | None = None, sign: float = 0
    ) -> Part:
        """Return a part of the domain; `sign` is that of the normal along the fixed coordinate."""
        return Part(self, fixed or {}, rim, sign)

    def boundary(self, name: str = "") -> list[Part]:
        """Return all of the boundary in space, or that of the shape with a name."""
        rims = [] if self.body is None else self.body.rims
        parts = [self.part(rim=rim) for rim in rims if not name or rim.name == name]
        if not name:
            for axis in self.space:
                if axis not in self.columns:
                    parts += [self.face(axis, end) for end in (0, 1)]
        return parts

    def face(self, axis: int, end: int) -> Part:
        """Return the lower (0) or upper (1) face of a coordinate that is not a body's."""
        sign = (2.0 * end - 1.0) if axis in self.space else 0.0
        return self.part({axis: self.bounds[axis, end]}, sign=sign)


@dataclass(eq=False)
class Part:
    """A slice of the domain with coordinates fixed, or a piece of the rim of its body."""

    place: Place
    fixed: dict[int, float]
    rim: Rim | None
    sign: float

    @property
    def oriented(self) -> bool:
        """Return whether its points have a normal."""
        return self.rim is not None or self.sign != 0

    @cached_property
    def free(self) -> list[int]:
        """Return the numbers of the coordinates that vary by themselves."""
        taken = set(self.fixed) | (set(self.place.columns) if self.rim else set())
        return [axis for axis in range(len(self.place.names)) if axis not in taken]

    @cached_property
    def all(self) -> tuple[np.ndarray, float]:
        """Return points [N, D] that cover it, and the measure that each stands for."""
        place = self.place
        used = 2 if self.rim else 0
        unit = cover(used + len(self.free), SAMPLES)
        x = np.repeat(place.bounds[:, :1].T, SAMPLES, axis=0)
        keep = np.ones(SAMPLES, dtype=bool)
        x[:, self.free] += unit[:, used:] * place.extent[self.free]
        size = float(np.prod(place.extent[self.free]))
        for axis, value in self.fixed.items():
            x[:, axis] = value
        columns = list(place.columns)
        if self.rim is not None and place.body is not None:
            size *= self.rim.measure
            x[:, columns] = inner = self.rim.at(unit[:, :2])
            keep = place.body.exposed(inner, self.rim.normals(inner))[0]
        elif place.body is not None:
            keep = place.body.depth(x[:, columns]) > 0
        return x[keep], size / SAMPLES

    def near(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, D] lie on it."""
        place = self.place
        close = CLOSE * place.extent
        low, high = place.bounds[:, 0] - close, place.bounds[:, 1] + close
        on = np.asarray(((x >= low) & (x <= high)).all(axis=1))
        for axis, value in self.fixed.items():
            on &= np.abs(x[:, axis] - value) <= close[axis]
        if place.body is not None:
            inner = x[:, list(place.columns)]
            on &= place.body.depth(inner) >= -CLOSE * place.body.size
            if self.rim is not None:
                on &= self.rim.distance(inner) <= CLOSE * place.body.size
        return on

    def normals(self, x: np.ndarray) -> np.ndarray:
        """Return the outward normals [N, D] at points [N, D] that lie on it."""
        result = np.zeros_like(x)
        for axis in self.fixed:
            result[:, axis] = self.sign
        if self.rim is not None and self.place.body is not None:
            columns = list(self.place.columns)
            inner = x[:, columns]
            result[:, columns] = self.place.body.exposed(inner, self.rim.normals(inner))[1]
        return result


@dataclass
class Meaning:
    """A region: parts, and a test of their points; `text` is what the program reads."""

    text: str | list[str]
    parts: list[Part]
    tests: list[Test] = field(default_factory=list)

    def test(self, index: int) -> Test:
        """Return the test that belongs to a part; one test may serve all."""
        if not self.tests:
            return everywhere
        return self.tests[index if len(self.tests) > 1 else 0]

    @property
    def oriented(self) -> bool:
        """Return whether all its points have normals."""
        return all(part.oriented for part in self.parts)

    @cached_property
    def samples(self) -> list[tuple[np.ndarray, float]]:
        """Return points [N, D] of every part that belong to the region, and its measure."""
        found = []
        for index, part in enumerate(self.parts):
            x, weight = part.all
            x = x[self.test(index)(x)]
            found.append((x, weight * len(x)))
        return found

    @property
    def share(self) -> float:
        """Return how much of its parts belongs to it."""
        return sum(len(x) for x, _ in self.samples) / (SAMPLES * len(self.parts))


def compared(place: Place, coefficients: Sequence[float], sign: str, value: float) -> Test:
    """Return the test that a linear form of the coordinates stands in relation to a value.

    Sides that differ by rounding are equal.
    """
    slopes = np.asarray(coefficients)
    room = CLOSE * float(np.abs(slopes) @ place.extent)

    def test(x: np.ndarray) -> np.ndarray:
        away = x @ slopes - value
        holds = away < 0 if sign[0] == "<" else away > 0
        return np.where(np.abs(away) <= room, "=" in sign, holds)

    return test
