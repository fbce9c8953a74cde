"""Surfaces of bodies in space: triangles, spheres, tubes and flat disks."""

from __future__ import annotations

import numpy as np

from pdehvd.problems.charts import Charts, cap_charts, sphere_charts, triangle_charts, tube_charts
from pdehvd.problems.curves import Curves, curves
from pdehvd.problems.shapes_surface import Surface

_PARALLEL = 1e-9  # sine of an angle below which a plane runs along an axis


def frame(axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two unit vectors [3] orthogonal to the unit vector `axis` [3] and to each other."""
    helper = np.zeros(3)
    helper[np.argmin(np.abs(axis))] = 1.0
    first = np.cross(axis, helper)
    first /= np.linalg.norm(first)
    return first, np.cross(axis, first)


def _others(axis: int) -> list[int]:
    return [other for other in range(3) if other != axis]


class Triangles(Surface):
    """Flat triangles [T, 3, 3] in space, counter-clockwise as seen from outside."""

    # One number chooses the triangle, so that a small triangle still sees two full-grained ones.
    parameters = 3

    def __init__(self, corners: np.ndarray) -> None:
        self.corners = corners
        self._sides = corners[:, 1:] - corners[:, :1]
        cross = np.cross(self._sides[:, 0], self._sides[:, 1])
        double = np.linalg.norm(cross, axis=1)
        self.normals = cross / np.where(double > 0, double, 1.0)[:, None]
        self._sums = np.cumsum(double / 2)
        self.measure = float(self._sums[-1])

    def points(self, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Choose triangles by area, then a point in each (Turk 1990, in Graphics Gems)."""
        index = np.searchsorted(self._sums, unit[:, 0] * self.measure, side="right")
        index = np.minimum(index, len(self.corners) - 1)
        root = np.sqrt(unit[:, 1])
        weights = np.stack([root * (1.0 - unit[:, 2]), root * unit[:, 2]], axis=1)
        x = self.corners[index, 0] + np.einsum("ns,nsd->nd", weights, self._sides[index])
        return x, self.normals[index]

    def charts(self) -> Charts:
        """Return a chart for each triangle."""
        return triangle_charts(self.corners, self.normals)

    def on_plane(self, axis: int, value: float, tolerance: float) -> Surface | None:
        """Return the triangles whose three corners lie in the plane."""
        flat = (np.abs(self.corners[:, :, axis] - value) <= tolerance).all(axis=1)
        return Triangles(self.corners[flat]) if flat.any() else None

    def section(self, axis: int, value: float) -> Curves:
        """Return an edge for each triangle that the plane cuts."""
        above = self.corners[:, :, axis] > value
        cut = np.flatnonzero(above.any(axis=1) & ~above.all(axis=1))
        alone = above[cut] == (above[cut].sum(axis=1) == 1)[:, None]
        lone = np.argmax(alone, axis=1)
        tip = self.corners[cut, lone][:, None]
        base = np.stack([self.corners[cut, (lone + turn) % 3] for turn in (1, 2)], axis=1)
        part = (value - tip[..., axis]) / (base - tip)[..., axis]
        return curves((tip + part[..., None] * (base - tip))[:, :, _others(axis)])

    def turns(self, axis: int) -> np.ndarray:
        """Return the corners' coordinates."""
        return np.unique(self.corners[:, :, axis])


class Sphere(Surface):
    """A sphere, by the equal-area map of Archimedes."""

    parameters = 2

    def __init__(self, center: np.ndarray, radius: float) -> None:
        self.center, self.radius = center, radius
        self.measure = 4 * np.pi * radius**2

    def points(self, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Height and longitude."""
        height = 1.0 - 2.0 * unit[:, 0]
        ring = np.sqrt(np.maximum(1.0 - height**2, 0.0))
        angle = unit[:, 1] * (2 * np.pi)
        normal = np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1)
        return self.center + self.radius * normal, normal

    def charts(self) -> Charts:
        """Return quarters."""
        return sphere_charts(self.center, self.radius)

    def section(self, axis: int, value: float) -> Curves:
        """Return a circle."""
        away = (value - self.center[axis]) / self.radius
        if abs(away) >= 1.0:
            return curves()
        radius = self.radius * np.sqrt((1.0 - away) * (1.0 + away))
        return curves(None, self.center[_others(axis)], radius * np.eye(2))

    def turns(self, axis: int) -> np.ndarray:
        """Return both ends."""
        values: np.ndarray = self.center[axis] + self.radius * np.array([-1.0, 1.0])
        return values


class Tube(Surface):
    """The side of a cylinder from `start` [3] along the unit vector `axis` [3]."""

    parameters = 2

    def __init__(self, start: np.ndarray, axis: np.ndarray, length: float, radius: float) -> None:
        self.start, self.axis, self.length, self.radius = start, axis, length, radius
        self.measure = 2 * np.pi * radius * length

    def points(self, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Angle and height."""
        angle = unit[:, :1] * (2 * np.pi)
        first, second = frame(self.axis)
        normal = np.cos(angle) * first + np.sin(angle) * second
        along = unit[:, 1:] * self.length * self.axis
        return self.start + along + self.radius * normal, normal

    def charts(self) -> Charts:
        """Return quarters."""
        sides = np.stack(frame(self.axis))
        return tube_charts(self.start, self.length * self.axis, sides, self.radius)

    def section(self, axis: int, value: float) -> Curves:
        """Return the ellipse of the endless tube, or two edges where the plane runs along it."""
        slope, offset = self.axis[axis], value - self.start[axis]
        upright = np.eye(3)[axis]
        across = np.cross(self.axis, upright)
        size = float(np.linalg.norm(across))
        if abs(slope) <= _PARALLEL:
            away = offset / self.radius
            if abs(away) >= 1.0:
                return curves()
            half = self.radius * np.sqrt((1.0 - away) * (1.0 + away)) * across / size
            middle = self.start + offset * upright
            ends = np.stack([middle, middle + self.length * self.axis])
            return curves(np.stack([ends - half, ends + half])[:, :, _others(axis)])
        center = self.start + offset / slope * self.axis
        sides = frame(upright) if size == 0.0 else (across / size, np.cross(across / size, upright))
        radii = self.radius, self.radius / abs(slope)
        axes = np.stack([radius * side for radius, side in zip(radii, sides, strict=True)], axis=1)
        return curves(None, center[_others(axis)], axes[_others(axis)])


class Cap(Surface):
    """A flat disk in space about `center` [3] with the unit normal `axis` [3]."""

    parameters = 2

    def __init__(self, center: np.ndarray, axis: np.ndarray, radius: float) -> None:
        self.center, self.axis, self.radius = center, axis, radius
        self.measure = np.pi * radius**2

    def points(self, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Radius and angle."""
        angle = unit[:, 1:] * (2 * np.pi)
        first, second = frame(self.axis)
        reach = self.radius * np.sqrt(unit[:, :1])
        x = self.center + reach * (np.cos(angle) * first + np.sin(angle) * second)
        return x, np.tile(self.axis, (len(unit), 1))

    def charts(self) -> Charts:
        """Return quarters."""
        return cap_charts(self.center, self.axis, np.stack(frame(self.axis)), self.radius)

    def on_plane(self, axis: int, value: float, tolerance: float) -> Surface | None:
        """Return the disk itself where it lies in the plane."""
        upright = abs(abs(self.axis[axis]) - 1.0) <= 1e-12
        return self if upright and abs(self.center[axis] - value) <= tolerance else None

    def section(self, axis: int, value: float) -> Curves:
        """Return a chord."""
        steep = float(np.sqrt(max(1.0 - self.axis[axis] ** 2, 0.0)))
        if steep <= _PARALLEL:
            return curves()
        up = (np.eye(3)[axis] - self.axis[axis] * self.axis) / steep
        shift = (value - self.center[axis]) / steep
        if abs(shift) >= self.radius:
            return curves()
        half = np.sqrt((self.radius - shift) * (self.radius + shift)) * np.cross(self.axis, up)
        middle = self.center + shift * up
        return curves(np.stack([middle - half, middle + half])[None][:, :, _others(axis)])

    def turns(self, axis: int) -> np.ndarray:
        """Return both ends of the disk's shadow."""
        reach = self.radius * np.sqrt(max(1.0 - self.axis[axis] ** 2, 0.0))
        values: np.ndarray = self.center[axis] + reach * np.array([-1.0, 1.0])
        return values
