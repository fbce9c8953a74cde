"""Points of a table that lie outside the domain by the rounding of its numbers alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from pdehvd.problems.geometry import Domain
from pdehvd.problems.outside import distances
from pdehvd.problems.shapes_csg import Shape

# Units in the last place of single precision by which a computed coordinate may be off.
_UNITS = 4
# Digits that single precision is written with.
_SINGLE = 9
# What is farther outside than this share of the domain's extent is not a matter of rounding.
_LARGEST = 1e-3
_BISECTIONS = 30


@dataclass(frozen=True)
class Fitted:
    """Points [N, D], moved onto the domain where rounding had moved them out of it.

    `moved` and `outside` are distances [N]: of what was moved, and of what is truly outside.
    """

    x: np.ndarray
    moved: np.ndarray
    outside: np.ndarray


def roundings(values: np.ndarray) -> np.ndarray:
    """Return by how much rounding may have changed each of a column's numbers [N].

    That is half a unit of the last digit that the column has, or a few units in the last place
    of single precision where a number has no more digits than those.
    """
    digits, decimals = _written(values)
    size = np.abs(values)
    whole = np.floor(np.log10(np.where(size == 0, 1.0, size))) + 1
    half = np.maximum(10.0**-decimals, 10.0 ** (whole - digits)) / 2 * (1 + 1e-6)
    with np.errstate(over="ignore"):
        single = (digits <= _SINGLE) | (np.float32(values) == values)
    few = _UNITS * float(np.finfo(np.float32).eps) * size.max()
    return np.maximum(half, np.where(single, few, 0.0))


def _written(values: np.ndarray) -> tuple[int, int]:
    """Return how many digits the numbers of a column have, and how many of them are decimals."""
    digits, decimals = 1, 0
    for value in np.unique(values):
        number = Decimal(repr(float(value))).normalize().as_tuple()
        digits = max(digits, len(number.digits))
        decimals = max(decimals, -int(number.exponent))
    return digits, min(decimals, 300)


def fit_into_domain(domain: Domain, x: np.ndarray) -> Fitted:
    """Move points [N, D] onto the domain that lie outside of it by the rounding of x."""
    result, moved, outside = x.copy(), np.zeros(len(x)), np.zeros(len(x))
    rows = np.flatnonzero(~domain.contains(x))
    if not rows.size:
        return Fitted(result, moved, outside)
    bounds, extent = domain.bounds, np.ptp(domain.bounds, axis=1)
    allowed = np.stack([roundings(column) for column in x.T], axis=1)[rows]
    allowed = np.minimum(allowed, _LARGEST * extent) + 1e-9 * extent
    inside = np.clip(x[rows], bounds[:, 0], bounds[:, 1])
    steps = np.abs(inside - x[rows])
    close, distance = (steps <= allowed).all(axis=1), steps.max(axis=1)
    if domain.frame.shape is not None:
        part = list(domain.frame.columns)
        radius = np.linalg.norm(allowed[:, part], axis=1)
        inside[:, part], found, lengths = _onto(domain.frame.shape, x[rows][:, part], radius)
        rest = np.delete(steps, part, axis=1).max(axis=1, initial=0.0)
        distance = np.maximum(rest, lengths)
        close &= found
    result[rows[close]] = inside[close]
    moved[rows[close]] = distance[close]
    outside[rows[~close]] = np.maximum(distance[~close], np.finfo(float).tiny)
    return Fitted(result, moved, outside)


def _onto(
    shape: Shape, x: np.ndarray, radius: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points [N, k] moved onto the shape, which are (at most `radius` away), and how far.

    The mean of the directions that lead inside is normal to the boundary.
    """
    result, there = x.copy(), shape.contains(x)
    distance, found = np.zeros(len(x)), there.copy()
    rows = np.flatnonzero(~there)
    ways = _directions(x.shape[1])
    ends = x[rows][:, None] + radius[rows][:, None, None] * ways
    leads = shape.contains(ends.reshape(-1, x.shape[1])).reshape(len(rows), len(ways))
    mean = leads @ ways
    mean /= np.maximum(np.linalg.norm(mean, axis=1), 1e-12)[:, None]
    direct = shape.contains(x[rows] + radius[rows][:, None] * mean)
    way = np.where(direct[:, None], mean, ways[leads.argmax(axis=1)])
    near = direct | leads.any(axis=1)
    found[rows[near]] = True
    lengths = _bisected(shape, x[rows[near]], radius[rows[near]], way[near])
    distance[rows[near]] = lengths
    result[rows[near]] += lengths[:, None] * way[near]
    far = rows[~near]
    if far.size:
        distance[far] = distances(shape, x[far])
    return result, found, distance


def _bisected(shape: Shape, x: np.ndarray, radius: np.ndarray, way: np.ndarray) -> np.ndarray:
    """Return how far it is along a way from points outside to the first one inside."""
    low, high = np.zeros(len(x)), radius.copy()
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        there = shape.contains(x + middle[:, None] * way)
        low, high = np.where(there, low, middle), np.where(there, middle, high)
    values: np.ndarray = high
    return values


def _directions(dimension: int) -> np.ndarray:
    """Return unit vectors [M, k] that spread evenly."""
    if dimension == 2:
        angle = np.arange(32) * (2 * math.pi / 32)
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)
    count = 64
    height = 1 - (2 * np.arange(count) + 1) / count
    angle = np.arange(count) * math.pi * (3 - math.sqrt(5))
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1)
