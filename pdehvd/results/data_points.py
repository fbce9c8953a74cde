"""Measured points of a run's tables, as pictures show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pdehvd.results.trained_points import TrainedAtPoints

# A picture shows at most so many points of a table, or of a condition.
MOST = 2000
# Points so close to a section, as a part of the coordinate's extent, are drawn on it.
SLAB = 0.025


@dataclass(frozen=True)
class DataPoints:
    """Points [N, D] of one table and the values [N] of one field that were measured there."""

    table: str
    x: np.ndarray
    values: np.ndarray

    def near(self, bounds: np.ndarray, fixed: Mapping[int, float]) -> DataPoints:
        """Return the points in the thin slab around a section, where coordinates are `fixed`."""
        close = np.ones(len(self.x), bool)
        for axis, at in fixed.items():
            close &= np.abs(self.x[:, axis] - at) <= SLAB * np.ptp(bounds[axis])
        return DataPoints(self.table, self.x[close], self.values[close])

    def thinned(self) -> DataPoints:
        """Return at most `MOST` points."""
        drawn = some_of(len(self.x))
        return DataPoints(self.table, self.x[drawn], self.values[drawn])


def some_of(count: int) -> np.ndarray:
    """Return at most `MOST` of the numbers 0 .. count - 1, always the same ones.

    They are random, for every second point of a table or of a sequence may be one half of space.
    """
    if count <= MOST:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, MOST, replace=False))


def data_points(trained: TrainedAtPoints, field: str) -> list[DataPoints]:
    """Return the points of every table that holds a field."""
    found = []
    for name, table in trained.problem.measured.items():
        if field in table.fields:
            values = table.values(field)
            known = np.isfinite(values)
            found.append(DataPoints(name, table.x[known], values[known]))
    return found
