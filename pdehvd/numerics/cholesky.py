"""Symmetric matrices in block columns divided over ranks, and their Cholesky factors."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import linalg

from pdehvd.comm.group import Group, Solo
from pdehvd.numerics.triangle import sum_lower

# Columns of a block: wide enough for matrix products to run at full speed, and so narrow that the
# others do not wait long for the rank that factors one. Small matrices have narrower ones, so that
# each rank has a few.
_WIDTH, _LEAST, _FEW = 192, 32, 4
# Below this a rank factors a matrix sooner than it receives the blocks of others.
_SMALL = 768


class NotPositiveError(ArithmeticError):
    """A matrix is not positive definite in the precision of the run."""


class BlockColumns:
    """The lower triangle of a symmetric matrix A [M, M] in block columns, divided over ranks.

    Block k holds some columns from their diagonal on, [M - start, stop - start]; what is above the
    diagonal inside a block is not defined. Ranks take turns, up and down, so that all have about
    as many entries. One process has a single block.
    """

    def __init__(self, size: int, dtype: np.dtype, group: Group) -> None:
        self.size = size
        self.dtype = dtype
        self.group = group
        count = max(1, round(size / _WIDTH), min(_FEW * group.size, size // _LEAST))
        count = count if group.size > 1 else 1
        ends = [size * number // count for number in range(count + 1)]
        self.spans = list(pairwise(ends))
        self.own: dict[int, np.ndarray] = {}

    @classmethod
    def whole(cls, lower: np.ndarray) -> BlockColumns:
        """Return a matrix [M, M] that every rank has, and will factor, for itself."""
        result = cls(len(lower), lower.dtype, Solo())
        result.own = {0: lower}
        return result

    @classmethod
    def zeros(cls, size: int, dtype: np.dtype, group: Group) -> BlockColumns:
        """Return A = 0, of which this rank has its own blocks."""
        result = cls(size, dtype, group)
        for number, (start, stop) in enumerate(result.spans):
            if result.owner(number) == group.rank:
                result.own[number] = np.zeros((size - start, stop - start), dtype)
        return result

    @classmethod
    def sum(cls, lower: np.ndarray, group: Group) -> BlockColumns:
        """Return the sum over ranks of matrices [M, M], a small one whole; one collective.

        The sum takes the place of `lower`.
        """
        lower = sum_lower(group, lower)
        if group.size == 1 or len(lower) < _SMALL:
            return cls.whole(lower)
        result = cls.zeros(len(lower), lower.dtype, group)
        for number, block in result.own.items():
            start, stop = result.spans[number]
            block[...] = lower[start:, start:stop]
        return result

    def owner(self, number: int) -> int:
        """Return the rank that has a block."""
        turn, place = divmod(number, self.group.size)
        return self.group.size - 1 - place if turn % 2 else place

    def shape(self, number: int) -> tuple[int, int]:
        """Return the rows and the columns of a block."""
        start, stop = self.spans[number]
        return self.size - start, stop - start


class Factor:
    """The Cholesky factor L of A + lambda I = L L^T, [M, M]; one collective for each block.

    The owner of a block factors it and sends it to all, who correct their later blocks with it:
    M^3 / 3 operations are divided, and every rank ends with the same bits of all of L. Raises
    `NotPositiveError` where rounding has made the matrix indefinite.
    """

    def __init__(self, matrix: BlockColumns, damping: float) -> None:
        self._spans = matrix.spans
        self._blocks: list[np.ndarray] = []
        group = matrix.group
        left = {number: block.copy() for number, block in matrix.own.items()}
        for number, (start, _) in enumerate(matrix.spans):
            block = left.pop(number, None)
            if block is None:
                block = np.empty(matrix.shape(number), matrix.dtype)
            else:
                block[np.diag_indices(block.shape[1])] += damping
                _factor(block)
            sent = group.broadcast_numpy(block.reshape(-1), matrix.owner(number), "cholesky")
            block = sent.reshape(block.shape)
            if np.isnan(block[0, 0]):
                raise NotPositiveError(f"a pivot is not positive at damping {damping:.3g}")
            self._blocks.append(block)
            for later, other in left.items():
                begin, end = (column - start for column in matrix.spans[later])
                _subtract(other, block[begin:], block[begin:end])

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return x [M] for b [M]."""
        solution = right.astype(self._blocks[0].dtype)
        parts = list(zip(self._spans, self._blocks, strict=True))
        for (start, stop), block in parts:
            solution[start:stop] = _solve_triangle(block, solution[start:stop], 1)
            solution[stop:] -= block[stop - start :] @ solution[start:stop]
        for (start, stop), block in reversed(parts):
            solution[start:stop] -= solution[stop:] @ block[stop - start :]
            solution[start:stop] = _solve_triangle(block, solution[start:stop], 0)
        return solution

    @property
    def condition(self) -> float:
        """The ratio of the largest to the smallest pivot, a lower bound of the condition number."""
        pivots = np.square(np.concatenate([np.diagonal(block) for block in self._blocks]))
        return float(pivots.max() / pivots.min())


# LAPACK's order is that of columns: it sees our arrays transposed, their lower triangle as its
# upper one. All arrays below are contiguous, or SciPy would work on copies.


def _factor(block: np.ndarray) -> None:
    """Replace a block of A by that of L; by NaN where a pivot is not positive."""
    width = block.shape[1]
    potrf, trsm = linalg.get_lapack_funcs(("potrf",), (block,))[0], _blas("trsm", block)
    top, info = potrf(block[:width].T, lower=0, overwrite_a=1, clean=0)
    if info != 0:
        block[:] = np.nan
    elif len(block) > width:
        trsm(1.0, top, block[width:].T, lower=0, trans_a=1, overwrite_b=1)


def _subtract(block: np.ndarray, rows: np.ndarray, first: np.ndarray) -> None:
    """Replace a block C [m, n] by C - R F^T with R [m, k], F [n, k]."""
    _blas("gemm", block)(-1.0, first.T, rows.T, beta=1.0, c=block.T, trans_a=1, overwrite_c=1)


def _solve_triangle(block: np.ndarray, right: np.ndarray, transposed: int) -> np.ndarray:
    """Return D^-1 b (transposed: 1, as LAPACK sees it) or D^-T b (0), D a block's triangle."""
    (trtrs,) = linalg.get_lapack_funcs(("trtrs",), (block,))
    solution, _ = trtrs(block[: block.shape[1]].T, right, lower=0, trans=transposed)
    result: np.ndarray = solution
    return result


def _blas(name: str, like: np.ndarray):  # type: ignore[no-untyped-def]
    return linalg.get_blas_funcs((name,), (like,))[0]
