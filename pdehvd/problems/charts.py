"""Charts: smooth maps of a unit interval or square that cover a surface once, for quadrature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

_ARCS = 8  # of an ellipse: Gauss-Legendre rules on them resolve radii that differ tenfold
_QUARTER = np.pi / 2


class Placed(NamedTuple):
    """Points [n, k], outward unit normals [n, k], and length or area per unit of the cube [n]."""

    x: np.ndarray
    normals: np.ndarray
    density: np.ndarray


@dataclass(frozen=True)
class Charts:
    """`count` maps of the unit cube of a `dimension`; `at(which [n], unit [n, dimension])`."""

    count: int
    dimension: int
    at: Callable[[np.ndarray, np.ndarray], Placed]


def edge_charts(ends: np.ndarray) -> Charts:
    """Return the charts of straight edges [S, 2, 2], the body on their left."""
    along = ends[:, 1] - ends[:, 0]
    lengths = np.linalg.norm(along, axis=1)
    outward = np.stack([along[:, 1], -along[:, 0]], axis=1) / lengths[:, None]

    def at(which: np.ndarray, unit: np.ndarray) -> Placed:
        return Placed(ends[which, 0] + unit * along[which], outward[which], lengths[which])

    return Charts(len(ends), 1, at)


def ellipse_charts(center: np.ndarray, radii: np.ndarray, rotation: np.ndarray) -> Charts:
    """Return arcs of an ellipse by the angle."""
    step = 2 * np.pi / _ARCS

    def at(which: np.ndarray, unit: np.ndarray) -> Placed:
        angle = step * (which + unit[:, 0])
        direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        normal = direction / radii
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        speed = np.linalg.norm(direction[:, ::-1] * radii, axis=1)
        return Placed(center + direction * radii @ rotation.T, normal @ rotation.T, step * speed)

    return Charts(_ARCS, 1, at)


def sphere_charts(center: np.ndarray, radius: float) -> Charts:
    """Return quarters of a sphere, by the angle from its pole and the longitude."""

    def at(which: np.ndarray, unit: np.ndarray) -> Placed:
        polar, angle = np.pi * unit[:, 0], _QUARTER * (which + unit[:, 1])
        ring = np.sin(polar)
        normal = np.stack([ring * np.cos(angle), ring * np.sin(angle), np.cos(polar)], axis=1)
        return Placed(center + radius * normal, normal, radius**2 * np.pi * _QUARTER * ring)

    return Charts(4, 2, at)


def tube_charts(start: np.ndarray, along: np.ndarray, sides: np.ndarray, radius: float) -> Charts:
    """Return quarters of a tube along `along` [3], across the unit vectors `sides` [2, 3]."""
    area = radius * _QUARTER * float(np.linalg.norm(along))

    def at(which: np.ndarray, unit: np.ndarray) -> Placed:
        angle = _QUARTER * (which + unit[:, 0])
        normal = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ sides
        x = start + unit[:, 1:] * along + radius * normal
        return Placed(x, normal, np.full(len(x), area))

    return Charts(4, 2, at)


def cap_charts(center: np.ndarray, axis: np.ndarray, sides: np.ndarray, radius: float) -> Charts:
    """Return quarters of a disk in space with the normal `axis` [3], by radius and angle."""

    def at(which: np.ndarray, unit: np.ndarray) -> Placed:
        angle = _QUARTER * (which + unit[:, 1])
        direction = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ sides
        x = center + radius * unit[:, :1] * direction
        return Placed(x, np.tile(axis, (len(x), 1)), radius**2 * _QUARTER * unit[:, 0])

    return Charts(4, 2, at)


def triangle_charts(corners: np.ndarray, normals: np.ndarray) -> Charts:
    """Return a chart for each triangle [T, 3, 3]: x = a + s (b - a) + s t (c - b)."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 1]
    double = np.linalg.norm(np.cross(first, second), axis=1)

    def at(which: np.ndarray, unit: np.ndarray) -> Placed:
        s, t = unit[:, :1], unit[:, 1:]
        x = corners[which, 0] + s * first[which] + s * t * second[which]
        return Placed(x, normals[which], double[which] * unit[:, 0])

    return Charts(len(corners), 2, at)
