"""Exact sums over the rows of a sum of squares: chunk after chunk, in no order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np
import tensorflow as tf

from pdehvd.comm.exact_totals import exact_total, exact_total_of_large
from pdehvd.comm.group import Group, Solo
from pdehvd.numerics.cholesky import BlockRows
from pdehvd.numerics.triangle import pack_upper, sum_upper, unpack_upper
from pdehvd.objectives.chunks import Chunks
from pdehvd.objectives.shard_rows import ShardRows, parameter_pieces
from pdehvd.problems.block import Block


class ExactRowSums:
    """N rows, chunk after chunk; what fills up a chunk is a row of zeros, and N counts it."""

    def __init__(self, group: Group, chunks: Chunks, blocks: Sequence[Block]) -> None:
        self.group = group
        self._chunks = chunks
        self._width = sum(chunks.width(block.count) * block.residuals for block in blocks)
        self._total = tf.function(self._totals, autograph=False)

    @property
    def rows(self) -> int:
        """Number N of rows of all chunks."""
        return self._width * self._chunks.count

    @cached_property
    def place(self) -> np.ndarray:
        """Where this rank's rows lie among the N, [n]."""
        return np.arange(self._width * self._chunks.start, self._width * self._chunks.stop)

    def gather(self, own: np.ndarray) -> np.ndarray:
        """Return a vector over all rows [N] from this rank's part [n]."""
        return self.group.gather_numpy(own, "rows")

    def totals(self, shards: Sequence[Sequence[np.ndarray]], name: str) -> list[np.ndarray]:
        """Return the exact sums over all chunks, each row of an array with its own exponent."""
        stacked = [np.stack(parts) for parts in zip(*shards, strict=True)]
        shapes = [part.shape[1:] for part in stacked]
        parts = [part.reshape(len(part), -1, part.shape[-1]) for part in stacked]
        size = sum(part[0].size for part in parts)
        totals = self._total([tf.constant(part) for part in parts], f"{name}.{size}")
        return [total.numpy().reshape(shape) for total, shape in zip(totals, shapes, strict=True)]

    def _totals(self, parts: list[tf.Tensor], name: str) -> list[tf.Tensor]:
        return exact_total(self.group, parts, self._chunks.count, name)

    def normal(self, shards: Sequence[ShardRows]) -> BlockRows:
        """Return J^T J [P, P], whole on every rank: a division would round by their number."""
        bound = float(np.max([shard.entry_bound() for shard in shards]))
        products = (pack_upper(_normal(shard)) for shard in shards)
        packed = exact_total_of_large(self.group, products, bound, self._chunks.count, "normal")
        size = shards[0].size
        return BlockRows.whole(unpack_upper(packed, np.zeros((size, size), packed.dtype)))

    def kernel(
        self, shards: Sequence[ShardRows], everyone: Callable[[], list[ShardRows]]
    ) -> BlockRows:
        """Return J J^T [N, N], the same bits on any number of ranks.

        Every rank linearizes all chunks, and multiplies its share of the pairs of chunks.
        """
        shards = shards if self.group.size == 1 else everyone()
        pairs = list(combinations_with_replacement(range(len(shards)), 2))
        own = pairs[self.group.rank :: self.group.size]
        width, dtype = self._width, shards[0].own.dtype
        matrix = np.zeros((self.rows, self.rows), dtype)
        for piece in parameter_pieces(shards, self.rows):
            for i, j in own:
                down, along = slice(i * width, (i + 1) * width), slice(j * width, (j + 1) * width)
                matrix[down, along] += piece[:, down].T @ piece[:, along]
        return BlockRows.whole(sum_upper(self.group, matrix) + dtype.type(0))


def _normal(shard: ShardRows) -> np.ndarray:
    """Return J^T J [P, P] of one chunk."""
    return BlockRows.gram(shard.row_pieces(), Solo()).own[0]
