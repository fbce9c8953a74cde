"""A global batch cut into chunks of one shape, whatever the number of processes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pdehvd.comm.grid import shard
from pdehvd.comm.group import Group


@dataclass(frozen=True)
class Chunks:
    """`count` chunks of a batch; this rank has the chunks start:stop.

    Of N items chunk j has those from floor(N j / count) to floor(N (j + 1) / count), so chunks
    differ by at most one item, and the shorter ones are filled up with a copy that weighs nothing.
    """

    count: int
    start: int
    stop: int

    @classmethod
    def of(cls, count: int, group: Group) -> Chunks:
        """Return a rank's share of `count` chunks."""
        return cls(count, *group.shard(count))

    @property
    def own(self) -> int:
        """Number of this rank's chunks."""
        return self.stop - self.start

    def width(self, items: int) -> int:
        """Return the number of places c of each chunk for a block of N items."""
        return -(-items // self.count)

    def span(self, items: int) -> tuple[int, int]:
        """Return the range of this rank's items; of some item where it has none."""
        begin = shard(items, self.start, self.count)[0]
        end = shard(items, self.stop - 1, self.count)[1]
        return (begin, end) if begin < end else (0, 1)

    def places(self, items: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which item of the rank's span is where [k, c], and which of them count [k, c]."""
        first, last = self.span(items)
        bounds = np.array([shard(items, j, self.count) for j in range(self.start, self.stop)])
        index = bounds[:, :1] + np.arange(self.width(items))
        real = index < bounds[:, 1:]
        return np.clip(index, first, last - 1) - first, real

    def laid_out(self, column: np.ndarray, items: int) -> np.ndarray:
        """Return a column of the rank's span, [n m, ...], as chunks [k, c m, ...].

        m is the number of points of an item, or 1. What counts is said by `places`.
        """
        index, _ = self.places(items)
        first, last = self.span(items)
        chosen = column.reshape(last - first, -1, *column.shape[1:])[index]
        laid: np.ndarray = chosen.reshape(len(index), -1, *column.shape[1:])
        return laid

    def joined(self, values: np.ndarray, items: int) -> np.ndarray:
        """Return values of the rank's items in order [n, ...] from those of chunks [k, c, ...]."""
        joined: np.ndarray = values[self.places(items)[1]]
        return joined
