"""Local sums over the rows of a sum of squares: one shard a rank, plain sums over ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from pdehvd.comm.group import Group
from pdehvd.numerics.cholesky import BlockRows
from pdehvd.objectives.shard_rows import ShardRows, parameter_pieces
from pdehvd.problems.block import Block


class LocalRowSums:
    """N rows, one for each residual of each item: residual after residual, items in order."""

    def __init__(self, group: Group, blocks: Sequence[Block]) -> None:
        self.group = group
        self._blocks = blocks

    @cached_property
    def rows(self) -> int:
        """Number N of rows of all ranks."""
        return sum(block.count * block.residuals for block in self._blocks)

    @cached_property
    def place(self) -> np.ndarray:
        """Where this rank's rows lie among the N, [n]."""
        parts, start = [np.zeros(0, int)], 0
        for block in self._blocks:
            low, high = self.group.shard(block.count)
            for _ in block.formulas.expressions:
                parts.append(np.arange(start + low, start + high))
                start += block.count
        return np.concatenate(parts)

    def gather(self, own: np.ndarray) -> np.ndarray:
        """Return a vector over all rows [N] from this rank's part [n]."""
        total = np.zeros(self.rows, own.dtype)
        total[self.place] = own
        return self.group.sum_numpy(total, "rows")

    def totals(self, shards: Sequence[Sequence[np.ndarray]], name: str) -> list[np.ndarray]:
        """Return the sums over ranks of arrays of one type; one collective for all of them."""
        (own,) = shards
        flat = np.concatenate([part.reshape(-1) for part in own])
        total = self.group.sum_numpy(flat, f"{name}.{len(flat)}")
        parts = np.split(total, np.cumsum([part.size for part in own])[:-1])
        return [part.reshape(like.shape) for part, like in zip(parts, own, strict=True)]

    def normal(self, shards: Sequence[ShardRows]) -> BlockRows:
        """Return J^T J [P, P], divided over ranks where it is large; one collective."""
        (own,) = shards
        return BlockRows.gram(own.row_pieces(), self.group)

    def kernel(
        self, shards: Sequence[ShardRows], everyone: Callable[[], list[ShardRows]]
    ) -> BlockRows:
        """Return J J^T [N, N], divided over ranks.

        Every rank linearizes all rows, which is cheap, and computes its own blocks, which are not.
        """
        shards = shards if self.group.size == 1 else everyone()
        result = BlockRows.zeros(self.rows, shards[0].own.dtype, self.group)
        for piece in parameter_pieces(shards, self.rows):
            for number, block in result.own.items():
                start, stop = result.spans[number]
                block += piece[:, start:stop].T @ piece[:, start:]
        return result
