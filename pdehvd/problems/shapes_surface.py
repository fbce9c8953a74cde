"""Pieces of boundary that can be sampled uniformly by area, with exact points and normals."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from pdehvd.problems.charts import Charts, edge_charts, ellipse_charts
from pdehvd.problems.curves import Curves, curves


class Surface(ABC):
    """A piece of boundary; `measure` is its length or area, a point takes `parameters` numbers."""

    parameters: int
    measure: float

    @abstractmethod
    def points(self, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Map the unit cube [n, parameters] to points [n, k] uniform by area, and unit normals."""

    @abstractmethod
    def charts(self) -> Charts:
        """Return smooth maps that cover the surface once."""

    def on_plane(self, axis: int, value: float, tolerance: float) -> Surface | None:
        """Return the part that lies in the plane x_axis = value; None where none of it is flat."""
        return None

    @abstractmethod
    def section(self, axis: int, value: float) -> Curves:
        """Return curves that the surface leaves in the plane x_axis = value, perhaps longer ones.

        Their coordinates are the other two; a curve in the plane is itself, whatever the arguments.
        """

    def turns(self, axis: int) -> np.ndarray:
        """Return the values of x_axis [E] at which sections begin, end or change their form."""
        return np.zeros(0)


class Segments(Surface):
    """Straight edges [S, 2, 2] in the plane, from first to second end, the body on their left."""

    parameters = 1

    def __init__(self, ends: np.ndarray) -> None:
        self.ends = ends
        self._along = ends[:, 1] - ends[:, 0]
        self._lengths = np.linalg.norm(self._along, axis=1)
        self._sums = np.concatenate([[0.0], np.cumsum(self._lengths)])
        self.measure = float(self._sums[-1])

    def points(self, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Walk along the edges; the normal is the edge turned clockwise."""
        distance = unit[:, 0] * self.measure
        edge = np.searchsorted(self._sums, distance, side="right") - 1
        edge = np.clip(edge, 0, len(self.ends) - 1)
        part = (distance - self._sums[edge]) / self._lengths[edge]
        x = self.ends[edge, 0] + part[:, None] * self._along[edge]
        along = self._along[edge] / self._lengths[edge, None]
        return x, np.stack([along[:, 1], -along[:, 0]], axis=1)

    def charts(self) -> Charts:
        """Return a chart for each edge."""
        return edge_charts(self.ends)

    def on_plane(self, axis: int, value: float, tolerance: float) -> Surface | None:
        """Return the edges whose two ends lie on the line."""
        flat = (np.abs(self.ends[:, :, axis] - value) <= tolerance).all(axis=1)
        return Segments(self.ends[flat]) if flat.any() else None

    def section(self, axis: int, value: float) -> Curves:
        """Return the edges."""
        return curves(self.ends)


class EllipseArc(Surface):
    """An ellipse in the plane, walked by arc length; exact for a circle."""

    parameters = 1
    _NODES = 4096

    def __init__(self, center: np.ndarray, radii: np.ndarray, angle: float) -> None:
        self.center, self.radii = center, radii
        cos, sin = np.cos(angle), np.sin(angle)
        self.rotation = np.array([[cos, -sin], [sin, cos]]) if angle else np.eye(2)
        self._angles = np.linspace(0.0, 2 * np.pi, self._NODES + 1)
        speed = np.hypot(radii[0] * np.sin(self._angles), radii[1] * np.cos(self._angles))
        self._slopes = 1.0 / speed
        steps = (speed[1:] + speed[:-1]) / 2 * (2 * np.pi / self._NODES)
        self._sums = np.concatenate([[0.0], np.cumsum(steps)])
        # The trapezoidal rule on a full period is exact to rounding unless the ellipse is a needle.
        self.measure = float(self._sums[-1])

    def points(self, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the angle of an arc length; every point lies on the ellipse to rounding."""
        if self.radii[0] == self.radii[1]:
            angle = unit[:, 0] * (2 * np.pi)
        else:
            angle = self._angle(unit[:, 0] * self.measure)
        direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        normal = direction / self.radii
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        x = self.center + (direction * self.radii) @ self.rotation.T
        return x, normal @ self.rotation.T

    def _angle(self, length: np.ndarray) -> np.ndarray:
        """Invert the arc length by cubic Hermite interpolation, which keeps the density smooth."""
        node = np.clip(np.searchsorted(self._sums, length, side="right") - 1, 0, self._NODES - 1)
        width = self._sums[node + 1] - self._sums[node]
        w = (length - self._sums[node]) / width
        rise = w * w * (3.0 - 2.0 * w)
        bend = self._slopes[node] * w * (1 - w) ** 2 - self._slopes[node + 1] * w * w * (1 - w)
        values: np.ndarray = (
            self._angles[node] * (1.0 - rise) + self._angles[node + 1] * rise + width * bend
        )
        return values

    def polygon(self) -> np.ndarray:
        """Return the corners [4096, 2] of an inscribed polygon."""
        angle = self._angles[:-1]
        direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        values: np.ndarray = self.center + (direction * self.radii) @ self.rotation.T
        return values

    def charts(self) -> Charts:
        """Return arcs."""
        return ellipse_charts(self.center, self.radii, self.rotation)

    def section(self, axis: int, value: float) -> Curves:
        """Return the ellipse."""
        return curves(None, self.center, self.rotation * self.radii)
