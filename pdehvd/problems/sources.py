"""Sources of items: sampled regions, given points with data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pdehvd.numerics.derivatives import internal
from pdehvd.problems.block import Items
from pdehvd.problems.geometry import Domain
from pdehvd.problems.regions import Region
from pdehvd.problems.sampling import Sampler

# The round of fresh points: one that no training reaches.
FRESH = 2**62

Columns = Mapping[str, np.ndarray]
Function = Callable[[Columns], np.ndarray]


@dataclass(frozen=True)
class RegionSource:
    """Points drawn from a region of the domain, with outward normals where it is a boundary."""

    domain: Domain
    region: Region
    sampler: Sampler
    count: int
    stream: int
    candidates: int = 0
    points_per_item: int = 1

    def items(self, round_: int, start: int, stop: int) -> Items:
        return self._drawn(self.count, round_, start, stop)

    def fresh(self) -> RegionSource:
        """Return a source whose items in the round `FRESH` are in no other round."""
        return replace(self, sampler=self.sampler.varied())

    def candidate_items(self, round_: int, start: int, stop: int) -> Items:
        """Return candidates start..stop of a round, from which residuals choose."""
        return self._drawn(self.candidates, round_, start, stop)

    def chosen(self, round_: int, indices: np.ndarray) -> Items:
        """Return the candidates [n] of a round that `indices` name."""
        every = self.candidate_items(round_, 0, self.candidates)
        return Items(
            every.x[indices], {name: column[indices] for name, column in every.extras.items()}
        )

    def _drawn(self, count: int, round_: int, start: int, stop: int) -> Items:
        key = (round_, self.stream)
        points = self.domain.sample(self.region, self.sampler, count, start, stop, key)
        if points.normals is None:
            return Items(points.x, {})
        columns = zip(self.domain.names, points.normals.T, strict=True)
        return Items(points.x, {internal(f"normal_{name}"): column for name, column in columns})


@dataclass(frozen=True)
class GivenSource:
    """Given points [N, D] with columns of data [N]."""

    x: np.ndarray
    columns: Columns
    points_per_item: int = 1

    @property
    def count(self) -> int:
        return len(self.x)

    def fresh(self) -> GivenSource:
        return self

    def items(self, round_: int, start: int, stop: int) -> Items:
        return Items(
            self.x[start:stop], {name: column[start:stop] for name, column in self.columns.items()}
        )
