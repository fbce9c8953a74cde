"""The sum of squared rows in chunks: products with the Jacobian that depend on no order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np

from pdehvd.comm.group import Solo
from pdehvd.numerics.cholesky import BlockRows
from pdehvd.numerics.kronecker import Pair
from pdehvd.numerics.triangle import pack_upper, sum_upper, unpack_upper
from pdehvd.objectives.base import Batch
from pdehvd.objectives.chunked import ChunkedObjective
from pdehvd.objectives.least_squares import LeastSquares


class ChunkedLeastSquares(LeastSquares):
    """Rows chunk after chunk, each made linear by itself; what fills up a chunk is a row of zeros.

    `own` holds this rank's chunks one after another, and N counts the rows of zeros too.
    """

    def _linearized(self) -> np.ndarray:
        assert isinstance(self._linear.objective, ChunkedObjective)
        self._objective: ChunkedObjective = self._linear.objective
        self._parts = [self._part(chunk) for chunk in _chunks_of(self._batch)]
        return np.concatenate([part.own for part in self._parts])

    def _part(self, chunk: Batch) -> LeastSquares:
        """Return the rows of one chunk alone."""
        theta = self._theta.numpy()
        return LeastSquares(self._linear, Solo(), chunk, lambda: chunk, self._weights, theta)

    @property
    def _width(self) -> int:
        return len(self._parts[0].own)

    @property
    def rows(self) -> int:
        return self._width * self._objective.chunks.count

    @cached_property
    def place(self) -> np.ndarray:
        chunks = self._objective.chunks
        return np.arange(self._width * chunks.start, self._width * chunks.stop)

    def gather(self, own: np.ndarray) -> np.ndarray:
        return self._group.gather_numpy(own, "rows")

    def rows_at(self, theta: np.ndarray) -> np.ndarray:
        return np.concatenate([part.rows_at(theta) for part in self._parts])

    def jvp(self, direction: np.ndarray) -> np.ndarray:
        return np.concatenate([part.jvp(direction) for part in self._parts])

    def vjp(self, own: np.ndarray) -> np.ndarray:
        pieces = np.split(own, len(self._parts))
        parts = [part.vjp(piece) for part, piece in zip(self._parts, pieces, strict=True)]
        return self._objective.host_total(np.stack(parts)[:, None], "vjp")[0]

    def gram(self, directions: np.ndarray) -> np.ndarray:
        parts = np.stack([part.gram(directions) for part in self._parts])
        return self._objective.host_total(parts, "gram")

    def normal(self) -> BlockRows:
        bound = float(np.max([part.entry_bound() for part in self._parts]))
        products = (pack_upper(part.normal().own[0]) for part in self._parts)
        total = self._objective.host_total_of_large(products, bound, "normal")
        size = len(self._theta)
        # A division over ranks would round by their number.
        return BlockRows.whole(unpack_upper(total, np.zeros((size, size), total.dtype)))

    def kernel(self) -> BlockRows:
        """Return J J^T [N, N], the same bits on any number of ranks.

        Every rank linearizes all chunks, and multiplies its share of the pairs of chunks.
        """
        parts = self._parts
        if self._group.size > 1:
            parts = [self._part(chunk) for chunk in _chunks_of(self._whole())]
        pairs = list(combinations_with_replacement(range(len(parts)), 2))
        own = pairs[self._group.rank :: self._group.size]
        width = self._width
        total = np.zeros((self.rows, self.rows), self.own.dtype)
        for piece in self._pieces_of_all(parts):
            for i, j in own:
                down, along = slice(i * width, (i + 1) * width), slice(j * width, (j + 1) * width)
                total[down, along] += piece[:, down].T @ piece[:, along]
        return BlockRows.whole(sum_upper(self._group, total) + self.own.dtype.type(0))

    def _pieces_of_all(self, parts: Sequence[LeastSquares]) -> Iterator[np.ndarray]:
        """Return parts of the transposed Jacobian [p, N], layer after layer."""
        slabs = [slab for part in parts for slab in part.slabs]
        return self.parameter_pieces(slabs, self.rows)

    def products(self, own: Sequence[np.ndarray]) -> np.ndarray:
        apart = np.stack([vector.reshape(len(self._parts), -1) for vector in own], 1)
        parts = np.stack([vectors @ vectors.T for vectors in apart])
        return self._objective.host_total(parts, "products")

    def kronecker(self) -> list[list[Pair]]:
        each = [part.kronecker_parts() for part in self._parts]
        stacked = [np.stack(factor).reshape(len(each), 1, -1) for factor in zip(*each, strict=True)]
        totals = [
            self._objective.host_total(factor, f"kfac{number}")[0]
            for number, factor in enumerate(stacked)
        ]
        return self._pairs(totals)


def _chunks_of(batch: Batch) -> list[Batch]:
    """Return the chunks [c, ...] of a batch of columns [k, c, ...]."""
    count = batch[0]["x"].shape[0]
    return [
        [{name: column[number] for name, column in data.items()} for data in batch]
        for number in range(count)
    ]
