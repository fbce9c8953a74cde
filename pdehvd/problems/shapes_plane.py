"""Elementary shapes in the plane: rectangle, ellipse, polygon."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import shapely
import sympy
from shapely import Geometry

from pdehvd.errors import ConfigError
from pdehvd.problems.r_functions import strip
from pdehvd.problems.shapes_csg import TOLERANCE, Leaf
from pdehvd.problems.shapes_surface import EllipseArc, Segments, Surface


def _edges(corners: np.ndarray) -> Segments:
    return Segments(np.stack([corners, np.roll(corners, -1, axis=0)], axis=1))


class Rectangle(Leaf):
    """An upright rectangle between two corners [2]."""

    dimension = 2
    is_box = True

    def __init__(self, low: np.ndarray, high: np.ndarray) -> None:
        self._bounds = np.stack([low, high], axis=1)

    @property
    def bounds(self) -> np.ndarray:
        """Return the bounds [2, 2]."""
        return self._bounds

    @property
    def volume(self) -> float:
        """Return the area."""
        return float(np.prod(self._bounds[:, 1] - self._bounds[:, 0]))

    @cached_property
    def _corners(self) -> np.ndarray:
        (left, right), (bottom, top) = self._bounds
        return np.array([[left, bottom], [right, bottom], [right, top], [left, top]])

    @cached_property
    def surfaces(self) -> tuple[Surface, ...]:
        """Return the four edges."""
        return (_edges(self._corners),)

    @cached_property
    def outline(self) -> Geometry:
        """Return the shapely polygon."""
        return shapely.Polygon(self._corners)

    def _depth(self, x: np.ndarray) -> np.ndarray:
        values: np.ndarray = np.minimum(x - self._bounds[:, 0], self._bounds[:, 1] - x).min(axis=1)
        return values

    def factors(self, x: Sequence[sympy.Expr]) -> list[sympy.Expr]:
        """Return a function for each pair of opposite edges."""
        ends = zip(x, self._bounds.tolist(), strict=True)
        return [strip(one, low, high) for one, (low, high) in ends]

    def inside(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, 2] are inside."""
        return self._depth(x) > 0

    def touches(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, 2] lie on an edge."""
        values: np.ndarray = np.abs(self._depth(x)) <= TOLERANCE * self.diagonal
        return values


class Ellipse(Leaf):
    """An ellipse (or disk) with radii [2], turned counter-clockwise by `angle` in radians."""

    dimension = 2

    def __init__(self, center: np.ndarray, radii: np.ndarray, angle: float = 0.0) -> None:
        self._arc = EllipseArc(center, radii, angle)

    @property
    def bounds(self) -> np.ndarray:
        """Return the bounds [2, 2]."""
        reach = np.linalg.norm(self._arc.rotation * self._arc.radii, axis=1)
        return np.stack([self._arc.center - reach, self._arc.center + reach], axis=1)

    @property
    def volume(self) -> float:
        """Return the area."""
        return float(np.pi * np.prod(self._arc.radii))

    @property
    def surfaces(self) -> tuple[Surface, ...]:
        """Return the curve itself."""
        return (self._arc,)

    @cached_property
    def outline(self) -> Geometry:
        """Return the shapely polygon with 4096 corners."""
        return shapely.Polygon(self._arc.polygon())

    def _level(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scaled = (x - self._arc.center) @ self._arc.rotation / self._arc.radii
        return np.linalg.norm(scaled, axis=1), scaled

    def factors(self, x: Sequence[sympy.Expr]) -> list[sympy.Expr]:
        """Return a function of the distance from the centre, in radii."""
        away = [one - at for one, at in zip(x, self._arc.center.tolist(), strict=True)]
        turned = (self._arc.rotation / self._arc.radii).T.tolist()
        scaled = [row[0] * away[0] + row[1] * away[1] for row in turned]
        return [1 - scaled[0] ** 2 - scaled[1] ** 2]

    def inside(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, 2] are inside."""
        return self._level(x)[0] < 1.0

    def touches(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, 2] lie on the curve, by the level over its gradient."""
        level, scaled = self._level(x)
        slope = np.linalg.norm(scaled / self._arc.radii, axis=1)
        values: np.ndarray = np.abs(level - 1.0) * level < TOLERANCE * self.diagonal * slope
        return values


class Polygon(Leaf):
    """A simple polygon with corners [S, 2] in either order."""

    dimension = 2

    def __init__(self, corners: np.ndarray) -> None:
        if len(corners) > 1 and np.array_equal(corners[0], corners[-1]):
            corners = corners[:-1]
        if len(corners) < 3:
            raise ConfigError(
                f"{len(corners)} corners do not form a polygon", expected="at least three"
            )
        self._polygon = shapely.Polygon(corners)
        if not self._polygon.is_valid or self._polygon.area == 0:
            reason = shapely.is_valid_reason(self._polygon)
            raise ConfigError(
                "the polygon has no area" if reason == "Valid Geometry" else f"polygon: {reason}",
                expected="corners in order, with edges that do not cross",
            )
        ordered = shapely.geometry.polygon.orient(self._polygon)
        self._corners = np.asarray(ordered.exterior.coords)[:-1]
        shapely.prepare(self._polygon)
        self._boundary = self._polygon.boundary

    @property
    def bounds(self) -> np.ndarray:
        """Return the bounds [2, 2]."""
        return np.stack([self._corners.min(axis=0), self._corners.max(axis=0)], axis=1)

    @property
    def volume(self) -> float:
        """Return the area."""
        return float(self._polygon.area)

    @cached_property
    def surfaces(self) -> tuple[Surface, ...]:
        """Return the edges."""
        return (_edges(self._corners),)

    @property
    def outline(self) -> Geometry:
        """Return the shapely polygon."""
        return self._polygon

    def factors(self, x: Sequence[sympy.Expr]) -> list[sympy.Expr]:
        """Return a function for each edge. Raises `ConfigError` where it is not convex."""
        if self._polygon.convex_hull.area > (1 + 1e-9) * self._polygon.area:
            raise ConfigError(
                "no function that is positive inside is known for a polygon that is not convex",
                expected="a union or difference of convex ones",
            )
        result = []
        for start, stop in zip(self._corners, np.roll(self._corners, -1, axis=0), strict=True):
            along = (stop - start) / np.linalg.norm(stop - start)
            inward = (-along[1], along[0])
            depth = sum(n * (one - at) for n, one, at in zip(inward, x, start, strict=True))
            result.append(2 * depth / self.diagonal)
        return result

    def inside(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, 2] are inside."""
        values: np.ndarray = shapely.contains_xy(self._polygon, x[:, 0], x[:, 1])
        return values

    def touches(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, 2] lie on an edge."""
        distance = shapely.distance(self._boundary, shapely.points(x))
        values: np.ndarray = distance <= TOLERANCE * self.diagonal
        return values
