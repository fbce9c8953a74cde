"""Where a solution is compared with its reference, and how far it is from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.errors import ConfigError

if TYPE_CHECKING:
    from pdehvd.problems.geometry import Domain

EVALUATION_POINTS = 10_000
GRID_COORDINATES = 3
TIMES = 16
ATTEMPTS = 12


def evaluation_points(
    domain: Domain,
    count: int = EVALUATION_POINTS,
    fixed: Mapping[int, float] = MappingProxyType({}),
) -> np.ndarray:
    """Return about `count` points of the closed domain, [N, D] float64, always the same ones.

    `fixed` holds values of coordinates by their axes. Up to three others: a grid with its ends on
    the bounds. Beyond: a Sobol sequence, at some values of the time and the parameters, if there
    are such. Parameters have their distributions. Points outside a shape are left out and the
    number is raised to make up for them.
    Raises ConfigError where no point is inside.
    """
    bounds = np.array(domain.bounds, dtype=np.float64)
    for axis, value in fixed.items():
        bounds[axis] = value
    free = [axis for axis in range(len(bounds)) if axis not in fixed]
    wanted = max(count, 1)
    for _ in range(ATTEMPTS):
        points = cover(bounds, _slicing(domain), wanted)
        domain.spread(points, free)
        inside: np.ndarray = points[np.asarray(domain.contains(points), dtype=bool)]
        if len(inside) >= 0.5 * min(count, len(points)) or len(inside) == len(points):
            return inside
        share = max(len(inside) / len(points), 0.25)
        wanted = math.ceil(wanted / share)
        if wanted > 200 * max(count, 100):
            break
    if len(inside):
        return inside
    raise ConfigError("no point of an evaluation grid lies in the domain", ("problem", "geometry"))


def time_slices(domain: Domain, points: np.ndarray) -> tuple[np.ndarray, int]:
    """Return for each point the number of its time and parameters, [N] int, and their count.

    Without such coordinates all points have the number 0.
    """
    axes = _slicing(domain)
    if not axes:
        return np.zeros(len(points), dtype=np.int64), 1
    places, numbers = np.unique(points[:, axes], axis=0, return_inverse=True)
    return numbers.reshape(-1), len(places)


def error_sums(
    value: np.ndarray, truth: np.ndarray, slices: np.ndarray, slice_count: int
) -> np.ndarray:
    """Return [S, 4]: for each slice the count and the sums of d = value - truth, d^2 and truth^2.

    Such arrays of disjoint sets of points may be added. Points where the truth is not finite are
    left out.
    """
    known = np.isfinite(truth)
    difference = np.where(known, value - np.where(known, truth, 0.0), 0.0)
    squares = np.where(known, truth, 0.0) ** 2
    columns = (known.astype(np.float64), difference, difference**2, squares)
    return np.stack([np.bincount(slices, column, slice_count) for column in columns], axis=1)


def constants(sums: np.ndarray) -> np.ndarray:
    """Return the mean of value - truth at each time, [S], from `error_sums`.

    The error of a field that the equations determine up to a constant, such as a pressure, is
    that of value - constants(sums)[slices].
    """
    count, difference, *_ = np.asarray(sums, dtype=np.float64).T
    values: np.ndarray = difference / np.maximum(count, 1.0)
    return values


def relative_l2(sums: np.ndarray) -> float:
    """Return sqrt(sum (value - truth)^2) / sqrt(sum truth^2) from `error_sums`.

    Where the truth is zero, the error is absolute: sqrt(mean value^2). NaN where the truth is
    nowhere known.
    """
    count, _, squares, truth = np.asarray(sums, dtype=np.float64).sum(axis=0)
    total = truth if truth > 0.0 else count
    return math.sqrt(squares / total) if total > 0.0 else math.nan


def _slicing(domain: Domain) -> list[int]:
    """Return the columns of the time and of the parameters."""
    return [
        axis
        for axis, name in enumerate(domain.names)
        if name == domain.time or name in domain.parameters
    ]


def cover(bounds: np.ndarray, sliced: Sequence[int], count: int) -> np.ndarray:
    """Return about `count` points [N, D] that cover a box [D, 2], which may be flat.

    Up to three coordinates that extend: a grid with its ends. Beyond: a Sobol sequence, at some
    values of those that are `sliced`.
    """
    free = [int(axis) for axis in np.flatnonzero(bounds[:, 1] > bounds[:, 0])]
    unit = _unit_cover(len(free), [free.index(axis) for axis in sliced if axis in free], count)
    points = np.repeat(bounds[:, :1].T, len(unit), axis=0)
    low, high = bounds[free].T
    # Rounding must not move an end of the grid.
    points[:, free] = np.where(unit == 1.0, high, low + unit * (high - low))
    return points


def _unit_cover(dimension: int, sliced: Sequence[int], count: int) -> np.ndarray:
    """Return about `count` points [n, dimension] of the closed unit cube."""
    if dimension <= GRID_COORDINATES:
        side = max(int(count ** (1.0 / max(dimension, 1)) + 1e-9), 2)
        axes = [np.linspace(0.0, 1.0, side)] * dimension
        if not axes:
            return np.zeros((1, 0))
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, dimension)
    if not sliced:
        return _sobol(count, dimension)
    one = len(sliced) == 1
    slices = np.linspace(0.0, 1.0, TIMES)[:, None] if one else _sobol(4 * TIMES, len(sliced))
    others = [axis for axis in range(dimension) if axis not in sliced]
    places = _sobol(math.ceil(count / len(slices)), len(others))
    points = np.empty((len(slices), len(places), dimension))
    points[:, :, others] = places
    points[:, :, list(sliced)] = slices[:, None]
    return points.reshape(-1, dimension)


def _sobol(count: int, dimension: int) -> np.ndarray:
    """Return the first points of the Sobol sequence, moved to the middle of their cells."""
    from scipy.stats import qmc  # late: it takes half a second

    if not dimension:
        return np.zeros((1, 0))
    power = max(math.ceil(math.log2(count)), 0)
    points = qmc.Sobol(dimension, scramble=False).random_base2(power)[:count]
    values: np.ndarray = points + 0.5 / 2**power
    return values
