"""Shapes by formulas of their own: how deep a point lies, rims with lengths and normals.

Nothing here comes from pdehvd, which the campaign compares with it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from itertools import pairwise

import numpy as np
import shapely

Placed = tuple[np.ndarray, np.ndarray]


class Rim(ABC):
    """A smooth piece of a boundary in k dimensions; `name` is that of its shape."""

    measure: float
    name: str = ""

    @abstractmethod
    def at(self, unit: np.ndarray) -> np.ndarray:
        """Return points [N, k], uniform by measure, of numbers [N, 2] in [0, 1)."""

    @abstractmethod
    def normals(self, x: np.ndarray) -> np.ndarray:
        """Return the outward unit normals [N, k] at points of it."""

    @abstractmethod
    def distance(self, x: np.ndarray) -> np.ndarray:
        """Return how far points [N, k] are from it."""


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


class Segment(Rim):
    """A straight edge with the body on its left."""

    def __init__(self, start: np.ndarray, stop: np.ndarray) -> None:
        self.start, self.way = start, stop - start
        self.measure = float(np.hypot(*self.way))
        self.normal = np.array([self.way[1], -self.way[0]]) / self.measure

    def curve(self, s: np.ndarray) -> Placed:
        """Return points and derivatives by s in [0, 1], counter-clockwise."""
        return self.start + s[:, None] * self.way, np.tile(self.way, (len(s), 1))

    def at(self, unit: np.ndarray) -> np.ndarray:
        return self.curve(unit[:, 0])[0]

    def normals(self, x: np.ndarray) -> np.ndarray:
        return np.tile(self.normal, (len(x), 1))

    def distance(self, x: np.ndarray) -> np.ndarray:
        s = np.clip((x - self.start) @ self.way / self.measure**2, 0, 1)
        return np.linalg.norm(x - self.curve(s)[0], axis=1)


class Oval(Rim):
    """The rim of an ellipse."""

    def __init__(self, center: np.ndarray, radii: np.ndarray, angle: float) -> None:
        self.center, self.radii, self.angle = center, radii, angle
        c, s = np.cos(angle), np.sin(angle)
        self.axes = np.array([[c, -s], [s, c]])
        self._s = np.linspace(0, 1, 8193)
        steps = np.linalg.norm(np.diff(self.curve(self._s)[0], axis=0), axis=1)
        self._lengths = np.concatenate([[0], np.cumsum(steps)])
        self.measure = float(self._lengths[-1])

    def curve(self, s: np.ndarray) -> Placed:
        """Return points and derivatives by s in [0, 1], counter-clockwise."""
        turn = 2 * np.pi * s
        local = np.stack([np.cos(turn), np.sin(turn)], 1) * self.radii
        moved = np.stack([-np.sin(turn), np.cos(turn)], 1) * self.radii * 2 * np.pi
        return self.center + local @ self.axes.T, moved @ self.axes.T

    def level(self, x: np.ndarray) -> np.ndarray:
        """Return 1 on the rim, less inside."""
        return np.linalg.norm((x - self.center) @ self.axes / self.radii, axis=1)

    def at(self, unit: np.ndarray) -> np.ndarray:
        return self.curve(np.interp(unit[:, 0] * self.measure, self._lengths, self._s))[0]

    def normals(self, x: np.ndarray) -> np.ndarray:
        return _unit((x - self.center) @ self.axes / self.radii**2 @ self.axes.T)

    def distance(self, x: np.ndarray) -> np.ndarray:
        return np.abs(self.level(x) - 1) * self.radii.max()


class Sphere(Rim):
    """The surface of a ball."""

    def __init__(self, center: np.ndarray, radius: float) -> None:
        self.center, self.radius = center, radius
        self.measure = 4 * np.pi * radius**2

    def at(self, unit: np.ndarray) -> np.ndarray:
        z, turn = 2 * unit[:, 0] - 1, 2 * np.pi * unit[:, 1]
        ring = np.sqrt(1 - z**2)
        normals = np.stack([ring * np.cos(turn), ring * np.sin(turn), z], 1)
        return self.center + self.radius * normals

    def normals(self, x: np.ndarray) -> np.ndarray:
        return _unit(x - self.center)

    def distance(self, x: np.ndarray) -> np.ndarray:
        return np.abs(np.linalg.norm(x - self.center, axis=1) - self.radius)


class Facet(Rim):
    """A parallelogram or, where `disk`, the ellipse in it; the body lies against its normal."""

    def __init__(self, center: np.ndarray, one: np.ndarray, two: np.ndarray, disk: bool) -> None:
        self.center, self.one, self.two, self.disk = center, one, two, disk
        normal = np.cross(one, two)
        self.measure = float(np.linalg.norm(normal)) * (np.pi if disk else 4)
        self.normal = normal / np.linalg.norm(normal)

    def at(self, unit: np.ndarray) -> np.ndarray:
        a, b = 2 * unit[:, 0] - 1, 2 * unit[:, 1] - 1
        if self.disk:
            radius, turn = np.sqrt(unit[:, 0]), 2 * np.pi * unit[:, 1]
            a, b = radius * np.cos(turn), radius * np.sin(turn)
        return self.center + a[:, None] * self.one + b[:, None] * self.two

    def normals(self, x: np.ndarray) -> np.ndarray:
        return np.tile(self.normal, (len(x), 1))

    def distance(self, x: np.ndarray) -> np.ndarray:
        away = x - self.center
        a, b = (away @ way / (way @ way) for way in (self.one, self.two))
        beyond = np.hypot(a, b) - 1 if self.disk else np.maximum(np.abs(a), np.abs(b)) - 1
        size = max(np.linalg.norm(self.one), np.linalg.norm(self.two))
        return np.maximum(np.abs(away @ self.normal), np.maximum(beyond, 0) * size)


class Tube(Rim):
    """The side of a cylinder."""

    def __init__(self, start: np.ndarray, frame: np.ndarray, length: float, radius: float) -> None:
        self.start, self.frame, self.length, self.radius = start, frame, length, radius
        self.measure = 2 * np.pi * radius * length

    def at(self, unit: np.ndarray) -> np.ndarray:
        turn = 2 * np.pi * unit[:, 1]
        normals = np.outer(np.cos(turn), self.frame[0]) + np.outer(np.sin(turn), self.frame[1])
        along = np.outer(unit[:, 0] * self.length, self.frame[2])
        return self.start + along + self.radius * normals

    def normals(self, x: np.ndarray) -> np.ndarray:
        return _unit((x - self.start) @ self.frame[:2].T @ self.frame[:2])

    def distance(self, x: np.ndarray) -> np.ndarray:
        local = (x - self.start) @ self.frame.T
        beyond = np.maximum(np.abs(local[:, 2] - self.length / 2) - self.length / 2, 0)
        return np.hypot(np.hypot(local[:, 0], local[:, 1]) - self.radius, beyond)


@dataclass
class Body:
    """A shape: `depth` [N] is positive inside, zero on the rim; `given` is its text in YAML."""

    dimension: int
    depth: Callable[[np.ndarray], np.ndarray]
    rims: list[Rim]
    low: np.ndarray
    high: np.ndarray
    given: dict = field(default_factory=dict)

    @cached_property
    def size(self) -> float:
        """Return the diagonal of the bounding box."""
        return float(np.linalg.norm(self.high - self.low))

    def exposed(self, x: np.ndarray, normals: np.ndarray) -> Placed:
        """Return which points of a rim bound the whole body, and the normals turned outward."""
        step = 1e-6 * self.size * normals
        behind, before = self.depth(x - step) > 0, self.depth(x + step) > 0
        return behind != before, np.where(behind[:, None], normals, -normals)


def polygon(corners: np.ndarray) -> Body:
    """Return the polygon with corners [S, 2] in either order."""
    area = shapely.geometry.polygon.orient(shapely.Polygon(corners))
    ring = area.exterior

    def depth(x: np.ndarray) -> np.ndarray:
        away = shapely.distance(ring, shapely.points(x))
        return np.where(shapely.contains_xy(area, x), away, -away)

    around = np.asarray(ring.coords)
    rims: list[Rim] = [Segment(a, b) for a, b in pairwise(around)]
    return Body(2, depth, rims, around.min(0), around.max(0))


def ellipse(center: np.ndarray, radii: np.ndarray, angle: float) -> Body:
    """Return an ellipse."""
    oval = Oval(center, radii, angle)
    reach = np.linalg.norm(oval.axes * radii, axis=1)
    return Body(
        2, lambda x: (1 - oval.level(x)) * radii.min(), [oval], center - reach, center + reach
    )


def ball(center: np.ndarray, radius: float) -> Body:
    """Return a ball."""

    def depth(x: np.ndarray) -> np.ndarray:
        return radius - np.linalg.norm(x - center, axis=1)

    return Body(3, depth, [Sphere(center, radius)], center - radius, center + radius)


def cuboid(low: np.ndarray, high: np.ndarray) -> Body:
    """Return an upright cuboid."""
    middle, half = (low + high) / 2, np.diag((high - low) / 2)
    rims: list[Rim] = []
    for axis in range(3):
        one, two = half[(axis + 1) % 3], half[(axis + 2) % 3]
        rims += [Facet(middle + half[axis], one, two, False)]
        rims += [Facet(middle - half[axis], two, one, False)]

    def depth(x: np.ndarray) -> np.ndarray:
        return np.minimum(x - low, high - x).min(axis=1)

    return Body(3, depth, rims, low, high)


def cylinder(start: np.ndarray, stop: np.ndarray, radius: float) -> Body:
    """Return a solid cylinder between the centres of its ends."""
    length = float(np.linalg.norm(stop - start))
    axis = (stop - start) / length
    one = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    one /= np.linalg.norm(one)
    frame = np.stack([one, np.cross(axis, one), axis])
    flat = radius * frame

    def depth(x: np.ndarray) -> np.ndarray:
        local = (x - start) @ frame.T
        ends = np.minimum(local[:, 2], length - local[:, 2])
        return np.minimum(radius - np.hypot(local[:, 0], local[:, 1]), ends)

    rims: list[Rim] = [Tube(start, frame, length, radius)]
    rims += [Facet(stop, flat[0], flat[1], True), Facet(start, flat[1], flat[0], True)]
    reach = radius * np.sqrt(np.maximum(1 - axis**2, 0))
    low, high = np.minimum(start, stop) - reach, np.maximum(start, stop) + reach
    return Body(3, depth, rims, low, high)


def join(operation: str, parts: Sequence[Body]) -> Body:
    """Return the union, intersection or difference of bodies; bounds are those of the rims left."""

    def depth(x: np.ndarray) -> np.ndarray:
        depths = [part.depth(x) for part in parts]
        if operation == "difference":
            return reduce(lambda body, hole: np.minimum(body, -hole), depths)
        return reduce(np.maximum if operation == "union" else np.minimum, depths)

    lows, highs = np.stack([p.low for p in parts]), np.stack([p.high for p in parts])
    body = Body(
        parts[0].dimension, depth, [r for p in parts for r in p.rims], lows.min(0), highs.max(0)
    )
    if operation == "difference":
        body.low, body.high = lows[0], highs[0]
    if operation == "intersection":
        body.low, body.high = lows.max(0), highs.min(0)
    return body
