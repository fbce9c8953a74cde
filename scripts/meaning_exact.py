"""What the conditions of a random problem must mean, worked out without the program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
import sympy

Mask = Callable[[dict[str, np.ndarray]], np.ndarray]


@dataclass
class Expected:
    """A condition: its kind, which points it may hold, which faces of the domain it must reach."""

    kind: str
    member: Mask | None = None
    faces: list[tuple[str, float]] = field(default_factory=list)
    oriented: bool = False
    value: float | None = None
    partner: str = ""


@dataclass
class Case:
    """A config's text with its tables, its exact solution, its shape's outline, its conditions."""

    text: str
    solution: sympy.Expr
    names: list[str]
    bounds: dict[str, tuple[float, float]]
    outline: Any
    conditions: dict[str, Expected]
    tables: dict[str, str] = field(default_factory=dict)


def gauss(low: float, high: float, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of the Gauss-Legendre rule on an interval."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    return low + (high - low) * (nodes + 1) / 2, weights * (high - low) / 2


def over_outline(
    outline: Any, function: Callable[..., Any], span: tuple[float, float] | None
) -> float:
    """Return the integral over the outline's triangles, times an interval of time."""
    nodes, steps = gauss(0.0, 1.0, 10)
    s, t = (axis.ravel() for axis in np.meshgrid(nodes, nodes, indexing="ij"))
    w = np.multiply.outer(steps, steps).ravel() * s
    times, lengths = gauss(*span, 40) if span else (np.zeros(1), np.ones(1))
    total = 0.0
    for triangle in shapely.constrained_delaunay_triangles(outline).geoms:
        p, a, b = np.array(triangle.exterior.coords)[:3]
        x = p + np.outer(s * (1 - t), a - p) + np.outer(s * t, b - p)
        size = abs(np.linalg.det(np.array([a - p, b - p])))
        arguments = [x[:, :1], x[:, 1:], times] if span else [x[:, :1], x[:, 1:]]
        values = np.broadcast_to(function(*arguments), (len(x), len(times)))
        total += size * float(w @ values @ lengths)
    return total


def on_faces(
    x: dict[str, np.ndarray], faces: list[tuple[str, float]], bounds: dict[str, Any]
) -> np.ndarray:
    """Return which points lie on any of the faces."""
    masks = [
        abs(x[name] - end) <= 1e-9 * (bounds[name][1] - bounds[name][0]) for name, end in faces
    ]
    return np.logical_or.reduce(masks)


def distance(outline: Any, x: dict[str, np.ndarray]) -> np.ndarray:
    """Return the distances from the outline's boundary."""
    return np.asarray(shapely.distance(outline.boundary, shapely.points(x["x"], x["y"])))
