"""Shapes in the plane and in space, and their unions, intersections and differences."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property, reduce

import numpy as np
import sympy
from shapely import Geometry

from pdehvd.errors import ConfigError
from pdehvd.problems.r_functions import all_of, any_of, bounded
from pdehvd.problems.shapes_surface import Surface

# Distances as fractions of a shape's diagonal: what counts as on the boundary, and how far from
# it one looks to tell inside from outside.
TOLERANCE = 1e-10
PROBE = 1e-7


class Shape(ABC):
    """A body of dimension k = 2 or 3; `names` are those by which its boundary can be called."""

    dimension: int
    names: tuple[str, ...] = ()

    @property
    @abstractmethod
    def bounds(self) -> np.ndarray:
        """Return the lower and upper bound of every coordinate [k, 2]."""

    @abstractmethod
    def inside(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, k] are inside; on the boundary the answer may be either."""

    @abstractmethod
    def contains(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, k] are inside or on the boundary."""

    @abstractmethod
    def interior(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, k] are inside and off the boundary."""

    @abstractmethod
    def leaves(self) -> tuple[Leaf, ...]:
        """Return the elementary shapes that this one is made of."""

    @abstractmethod
    def factors(self, x: Sequence[sympy.Expr]) -> list[sympy.Expr]:
        """Return functions of coordinates [k], all positive inside and only there.

        Their product is smooth inside, and zero on the boundary. Raises `ConfigError` for a shape
        without such functions.
        """

    def level(self, x: Sequence[sympy.Expr]) -> sympy.Expr:
        """Return one function of coordinates [k]: positive inside, negative outside."""
        return all_of(self.factors(x))

    @property
    @abstractmethod
    def volume(self) -> float | None:
        """Return the area or volume; None where no exact value is known."""

    @property
    def faces(self) -> np.ndarray | None:
        """Return the triangles [T, 3, 3] around a polyhedron; None for other shapes."""
        return None

    @property
    def diagonal(self) -> float:
        """Return the diagonal of the bounding box."""
        return float(np.linalg.norm(self.bounds[:, 1] - self.bounds[:, 0]))

    def exposed(
        self, leaf: Leaf, x: np.ndarray, normals: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Tell which points [N, k] of a leaf's boundary bound this shape, and turn normals outward.

        Returns (mask [N], normals [N, k]). Where boundaries of several leaves coincide, only the
        first of them keeps the points, so that no part is counted twice.
        """
        step = PROBE * self.diagonal * normals
        before, behind = self.inside(x - step), self.inside(x + step)
        mask = before != behind
        for other in self.leaves():
            if other is leaf:
                break
            mask &= ~other.touches(x)
        return mask, np.where(before[:, None], normals, -normals)


class Leaf(Shape):
    """An elementary shape with a boundary that can be sampled."""

    # True where the shape fills its bounding box.
    is_box = False

    @property
    @abstractmethod
    def surfaces(self) -> tuple[Surface, ...]:
        """Return the pieces of the boundary, with outward normals."""

    @abstractmethod
    def touches(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, k] lie on the boundary."""

    @property
    def outline(self) -> Geometry:
        """Return the shape as a shapely geometry, curves as fine polygons; None in space."""
        return None

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, k] are inside or on the boundary."""
        values: np.ndarray = self.inside(x) | self.touches(x)
        return values

    def interior(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, k] are inside and off the boundary."""
        values: np.ndarray = self.inside(x) & ~self.touches(x)
        return values

    def leaves(self) -> tuple[Leaf, ...]:
        """Return the shape itself."""
        return (self,)


class Compound(Shape):
    """Shapes of one dimension joined by a set operation."""

    operation: str

    def __init__(self, parts: Sequence[Shape]) -> None:
        self.parts = tuple(parts)
        dimensions = {part.dimension for part in self.parts}
        if len(dimensions) > 1:
            raise ConfigError(
                f"the {self.operation} combines shapes of different dimensions",
                expected="all in the plane or all in space",
            )
        self.dimension = dimensions.pop()
        self._leaves = tuple(leaf for part in self.parts for leaf in part.leaves())
        if self._empty():
            raise ConfigError(f"the {self.operation} is empty", expected="shapes that overlap")

    def _empty(self) -> bool:
        if self.dimension == 2:
            result: bool = self.outline.area <= (TOLERANCE * self.diagonal) ** 2
            return result
        return bool((self.bounds[:, 0] >= self.bounds[:, 1]).any())

    @abstractmethod
    def _join(self, parts: Sequence[Geometry]) -> Geometry:
        """Join shapely geometries."""

    @abstractmethod
    def _join_bounds(self, bounds: np.ndarray) -> np.ndarray:
        """Join bounding boxes [parts, k, 2]."""

    @cached_property
    def outline(self) -> Geometry:
        """Return the shape as a shapely geometry, curves as fine polygons; None in space."""
        if self.dimension == 3:
            return None
        return self._join([part.outline for part in self.parts])  # type: ignore[attr-defined]

    @cached_property
    def bounds(self) -> np.ndarray:
        """Return bounds [k, 2]: tight in the plane, those of the operands' boxes in space."""
        if self.dimension == 2 and not self.outline.is_empty:
            values: np.ndarray = np.reshape(self.outline.bounds, (2, 2)).T
            return values
        return self._join_bounds(np.stack([part.bounds for part in self.parts]))

    @property
    def volume(self) -> float | None:
        """Return the area in the plane; None in space."""
        return float(self.outline.area) if self.dimension == 2 else None

    def leaves(self) -> tuple[Leaf, ...]:
        """Return the elementary shapes that this one is made of."""
        return self._leaves


class Union(Compound):
    """All points of any part."""

    operation = "union"

    def _join(self, parts: Sequence[Geometry]) -> Geometry:
        import shapely

        return shapely.union_all(parts)

    def _join_bounds(self, bounds: np.ndarray) -> np.ndarray:
        return np.stack([bounds[:, :, 0].min(axis=0), bounds[:, :, 1].max(axis=0)], axis=1)

    def factors(self, x: Sequence[sympy.Expr]) -> list[sympy.Expr]:
        """Return one function; it is not smooth where boundaries of two parts meet."""
        return [any_of([part.level(x) for part in self.parts])]

    def inside(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, k] are inside."""
        values: np.ndarray = np.logical_or.reduce([part.inside(x) for part in self.parts])
        return values

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, k] are inside or on the boundary."""
        values: np.ndarray = np.logical_or.reduce([part.contains(x) for part in self.parts])
        return values

    def interior(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, k] are inside and off the boundaries of the parts."""
        values: np.ndarray = np.logical_or.reduce([part.interior(x) for part in self.parts])
        return values


class Intersection(Compound):
    """The points that all parts share."""

    operation = "intersection"

    def _join(self, parts: Sequence[Geometry]) -> Geometry:
        import shapely

        return shapely.intersection_all(parts)

    def _join_bounds(self, bounds: np.ndarray) -> np.ndarray:
        return np.stack([bounds[:, :, 0].max(axis=0), bounds[:, :, 1].min(axis=0)], axis=1)

    def factors(self, x: Sequence[sympy.Expr]) -> list[sympy.Expr]:
        """Return the functions of all parts."""
        return [factor for part in self.parts for factor in part.factors(x)]

    def inside(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, k] are inside."""
        values: np.ndarray = np.logical_and.reduce([part.inside(x) for part in self.parts])
        return values

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, k] are inside or on the boundary."""
        values: np.ndarray = np.logical_and.reduce([part.contains(x) for part in self.parts])
        return values

    def interior(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, k] are inside and off the boundary."""
        values: np.ndarray = np.logical_and.reduce([part.interior(x) for part in self.parts])
        return values


class Difference(Compound):
    """The first part without the others."""

    operation = "difference"

    def _join(self, parts: Sequence[Geometry]) -> Geometry:
        return reduce(lambda body, hole: body.difference(hole), parts)

    def _join_bounds(self, bounds: np.ndarray) -> np.ndarray:
        values: np.ndarray = bounds[0]
        return values

    def _without(self, body: np.ndarray, holes: list[np.ndarray]) -> np.ndarray:
        values: np.ndarray = body & ~np.logical_or.reduce(holes)
        return values

    def factors(self, x: Sequence[sympy.Expr]) -> list[sympy.Expr]:
        """Return the functions of the first part, and what is positive outside the others."""
        first, *others = self.parts
        return [*first.factors(x), *(-bounded(part.level(x)) for part in others)]

    def inside(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, k] are inside."""
        return self._without(self.parts[0].inside(x), [p.inside(x) for p in self.parts[1:]])

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, k] are inside or on the boundary."""
        return self._without(self.parts[0].contains(x), [p.interior(x) for p in self.parts[1:]])

    def interior(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, k] are inside and off the boundary."""
        return self._without(self.parts[0].interior(x), [p.contains(x) for p in self.parts[1:]])
