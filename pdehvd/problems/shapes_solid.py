"""Elementary shapes in space with curved surfaces: ball, cylinder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import sympy

from pdehvd.problems.r_functions import strip
from pdehvd.problems.shapes_csg import TOLERANCE, Leaf
from pdehvd.problems.shapes_surface import Surface
from pdehvd.problems.shapes_surface_solid import Cap, Sphere, Tube


class Ball(Leaf):
    """A ball about `center` [3]."""

    dimension = 3

    def __init__(self, center: np.ndarray, radius: float) -> None:
        self.center, self.radius = center, radius

    @property
    def bounds(self) -> np.ndarray:
        """Return the bounds [3, 2]."""
        return np.stack([self.center - self.radius, self.center + self.radius], axis=1)

    @property
    def volume(self) -> float:
        """Return the volume."""
        return 4 / 3 * np.pi * self.radius**3

    @cached_property
    def surfaces(self) -> tuple[Surface, ...]:
        """Return the sphere."""
        return (Sphere(self.center, self.radius),)

    def _depth(self, x: np.ndarray) -> np.ndarray:
        values: np.ndarray = self.radius - np.linalg.norm(x - self.center, axis=1)
        return values

    def factors(self, x: Sequence[sympy.Expr]) -> list[sympy.Expr]:
        """Return a function of the distance from the centre, in radii."""
        away = zip(x, self.center.tolist(), strict=True)
        return [1 - sum((one - at) ** 2 for one, at in away) / self.radius**2]

    def inside(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, 3] are inside."""
        return self._depth(x) > 0

    def touches(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, 3] lie on the sphere."""
        values: np.ndarray = np.abs(self._depth(x)) <= TOLERANCE * self.diagonal
        return values


class Cylinder(Leaf):
    """A solid cylinder between the centres [3] of its two end disks."""

    dimension = 3

    def __init__(self, start: np.ndarray, stop: np.ndarray, radius: float) -> None:
        self.start, self.stop, self.radius = start, stop, radius
        self.length = float(np.linalg.norm(stop - start))
        self.axis = (stop - start) / self.length

    @property
    def bounds(self) -> np.ndarray:
        """Return the bounds [3, 2]."""
        ends = np.stack([self.start, self.stop])
        reach = self.radius * np.sqrt(np.maximum(1.0 - self.axis**2, 0.0))
        return np.stack([ends.min(axis=0) - reach, ends.max(axis=0) + reach], axis=1)

    @property
    def volume(self) -> float:
        """Return the volume."""
        return np.pi * self.radius**2 * self.length

    @cached_property
    def surfaces(self) -> tuple[Surface, ...]:
        """Return the side and the two ends."""
        return (
            Tube(self.start, self.axis, self.length, self.radius),
            Cap(self.start, -self.axis, self.radius),
            Cap(self.stop, self.axis, self.radius),
        )

    def _depth(self, x: np.ndarray) -> np.ndarray:
        height = (x - self.start) @ self.axis
        away = np.linalg.norm(x - self.start - height[:, None] * self.axis, axis=1)
        values: np.ndarray = np.minimum(
            self.radius - away, np.minimum(height, self.length - height)
        )
        return values

    def factors(self, x: Sequence[sympy.Expr]) -> list[sympy.Expr]:
        """Return a function of the distance from the axis, and one for the ends."""
        away = [one - at for one, at in zip(x, self.start.tolist(), strict=True)]
        height = sum(n * one for n, one in zip(self.axis.tolist(), away, strict=True))
        across = sum(one**2 for one in away) - height**2
        return [1 - across / self.radius**2, strip(height, 0, self.length)]

    def inside(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, 3] are inside."""
        return self._depth(x) > 0

    def touches(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, 3] lie on the surface."""
        values: np.ndarray = np.abs(self._depth(x)) <= TOLERANCE * self.diagonal
        return values
