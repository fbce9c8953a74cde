"""Symmetric matrices in block rows divided over ranks, and their Cholesky factors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from scipy import linalg

from pdehvd.comm.group import Group, Solo
from pdehvd.numerics.triangle import sum_upper

# Rows of a block: enough for matrix products to run at full speed, and so few that the others do
# not wait long for the rank that factors one. Small matrices have fewer, so that each rank has a
# few blocks.
_ROWS, _LEAST, _FEW = 160, 32, 4
# Below this a rank factors a matrix sooner than it receives the blocks of others.
_SMALL = 768


class NotPositiveError(ArithmeticError):
    """A matrix is not positive definite in the precision of the run."""


class BlockRows:
    """The upper triangle of a symmetric matrix A [M, M] in block rows, divided over ranks.

    Block k holds some rows from their diagonal on, [stop - start, M - start]; what is below the
    diagonal inside a block is not defined. Ranks alternate, up and down, so that all have about
    as many entries. One process has a single block.
    """

    def __init__(self, size: int, dtype: np.dtype, group: Group) -> None:
        self.size = size
        self.dtype = dtype
        self.group = group
        count = max(1, round(size / _ROWS), min(_FEW * group.size, size // _LEAST))
        count = count if group.size > 1 else 1
        ends = [size * number // count for number in range(count + 1)]
        self.spans = list(pairwise(ends))
        self.own: dict[int, np.ndarray] = {}

    @classmethod
    def whole(cls, upper: np.ndarray) -> BlockRows:
        """Return a matrix [M, M] that every rank has, and will factor, for itself."""
        result = cls(len(upper), upper.dtype, Solo())
        result.own = {0: upper}
        return result

    @classmethod
    def zeros(cls, size: int, dtype: np.dtype, group: Group) -> BlockRows:
        """Return A = 0, of which this rank has its own blocks."""
        result = cls(size, dtype, group)
        numbers = result._owned(group.rank)
        result.own = {number: np.zeros(result.shape(number), dtype) for number in numbers}
        return result

    @classmethod
    def gram(cls, roots: Iterable[np.ndarray], group: Group) -> BlockRows:
        """Return the sum of R R^T over the roots R [M, n] of all ranks, a small one whole.

        One collective. Every rank has one root or more.
        """
        total: np.ndarray | None = None
        for root in roots:
            product = root @ root.T
            total = product if total is None else np.add(total, product, out=total)
        assert total is not None
        if group.size == 1 or len(total) < _SMALL:
            return cls.whole(sum_upper(group, total))
        result = cls(len(total), total.dtype, group)
        owned = [result._owned(rank) for rank in range(group.size)]
        counts = [sum(math.prod(result.shape(k)) for k in numbers) for numbers in owned]
        spans = [result.spans[number] for numbers in owned for number in numbers]
        parts = np.concatenate([total[start:stop, start:].reshape(-1) for start, stop in spans])
        result.own = result._views(
            group.reduce_scatter_numpy(parts, counts, "gram"), owned[group.rank]
        )
        return result

    def _owned(self, rank: int) -> list[int]:
        """Return the blocks of a rank."""
        return [number for number in range(len(self.spans)) if self.owner(number) == rank]

    def _views(self, entries: np.ndarray, numbers: Sequence[int]) -> dict[int, np.ndarray]:
        """Return blocks whose entries follow one another in a vector."""
        found, start = {}, 0
        for number in numbers:
            stop = start + math.prod(self.shape(number))
            found[number], start = entries[start:stop].reshape(self.shape(number)), stop
        return found

    def owner(self, number: int) -> int:
        """Return the rank that has a block."""
        turn, place = divmod(number, self.group.size)
        return self.group.size - 1 - place if turn % 2 else place

    def shape(self, number: int) -> tuple[int, int]:
        """Return the rows and the columns of a block."""
        start, stop = self.spans[number]
        return stop - start, self.size - start


class Factor:
    """The Cholesky factor U of A + lambda I = U^T U, [M, M]; one collective for each block.

    The owner of a block factors it and sends it to all, who correct their later blocks with it:
    M^3 / 3 operations are divided, and every rank ends with the same bits of all of U. Raises
    `NotPositiveError` where rounding has made the matrix indefinite.
    """

    def __init__(self, matrix: BlockRows, damping: float) -> None:
        self._spans = matrix.spans
        self._blocks: list[np.ndarray] = []
        group = matrix.group
        left = {number: block.copy() for number, block in matrix.own.items()}
        for number, (start, _) in enumerate(matrix.spans):
            block = left.pop(number, None)
            if block is None:
                block = np.empty(matrix.shape(number), matrix.dtype)
            else:
                block[np.diag_indices(len(block))] += damping
                _factor(block)
            sent = group.broadcast_numpy(block.reshape(-1), matrix.owner(number), "cholesky")
            block = sent.reshape(block.shape)
            if np.isnan(block[0, 0]):
                raise NotPositiveError(f"a pivot is not positive at damping {damping:.3g}")
            self._blocks.append(block)
            for later, other in left.items():
                begin, end = (row - start for row in matrix.spans[later])
                other -= block[:, begin:end].T @ block[:, begin:]

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return x [M] for b [M]."""
        solution = right.astype(self._blocks[0].dtype)
        parts = list(zip(self._spans, self._blocks, strict=True))
        for (start, stop), block in parts:
            solution[start:stop] = _solve_triangle(block, solution[start:stop], 0)
            solution[stop:] -= solution[start:stop] @ block[:, stop - start :]
        for (start, stop), block in reversed(parts):
            solution[start:stop] -= block[:, stop - start :] @ solution[stop:]
            solution[start:stop] = _solve_triangle(block, solution[start:stop], 1)
        return solution

    @property
    def condition(self) -> float:
        """The ratio of the largest to the smallest pivot, a lower bound of the condition number."""
        pivots = np.square(np.concatenate([np.diagonal(block) for block in self._blocks]))
        return float(pivots.max() / pivots.min())


# LAPACK's order is that of columns: it sees our arrays transposed, their upper triangle as its
# lower one. SciPy works in place on what is contiguous, and on copies of all else.


def _factor(block: np.ndarray) -> None:
    """Replace a block of A by that of U; by NaN where a pivot is not positive."""
    rows = len(block)
    (potrf,) = linalg.get_lapack_funcs(("potrf",), (block,))
    (trsm,) = linalg.get_blas_funcs(("trsm",), (block,))
    top, info = potrf(block[:, :rows].T, lower=1, overwrite_a=1, clean=0)
    if info != 0:
        block[:] = np.nan
    elif block.shape[1] > rows:
        trsm(1.0, top, block.T, side=1, lower=1, trans_a=1, overwrite_b=1)
        block[:, :rows] = top.T


def _solve_triangle(block: np.ndarray, right: np.ndarray, transposed: int) -> np.ndarray:
    """Return D^-T b (transposed: 0, as LAPACK sees it) or D^-1 b (1), D a block's triangle."""
    (trtrs,) = linalg.get_lapack_funcs(("trtrs",), (block,))
    solution, _ = trtrs(block[:, : len(block)].T, right, lower=1, trans=transposed)
    result: np.ndarray = solution
    return result
