"""Measured points of a run's tables, as pictures show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pdehvd.results.trained_points import TrainedAtPoints

# A picture shows at most so many points of a table.
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
        """Return at most `MOST` points, evenly taken from all of the table."""
        step = max(1, -(-len(self.x) // MOST))
        return DataPoints(self.table, self.x[::step], self.values[::step])


def data_points(trained: TrainedAtPoints, field: str) -> list[DataPoints]:
    """Return the points of every table that holds a field."""
    return [
        DataPoints(name, table.x, table.values(field))
        for name, table in trained.problem.measured.items()
        if field in table.fields
    ]
