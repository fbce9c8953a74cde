"""A dense symmetric matrix that is cheap to multiply with and to correct, divided over ranks."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from scipy.linalg import get_blas_funcs, qr

from pdehvd.comm.group import Group
from pdehvd.numerics.divided import Arrays, Divided, Stored, merge_spans
from pdehvd.numerics.kronecker import assign_work

# From here on, half a pass over the matrix takes longer than the sum over ranks of a product.
_DIVIDED = 2048
# Rows of a strip, which is read twice: the second time from a cache.
_ROWS = 64
# Power of the rounding unit that is added to eigenvalues, in units of their mean, so that
# eigenvectors are not rounding errors; and the iterations that find the first of them.
_SHIFT, _FIRST = 0.4, 8
# Columns of corrections that are collected before they are added to the strips.
_PENDING = 32


class _Strip(NamedTuple):
    """Rows start:stop of the lower triangle, values [stop - start, stop] with rows contiguous."""

    start: int
    stop: int
    values: np.ndarray


class SymmetricMatrix:
    """H = c B + W M W^T [P, P], B in strips of its lower triangle, W [P, K], M [K, K].

    A product reads half of B once, for each strip serves its rows and its columns. Corrections of
    low rank are collected in W and M and added to B by one matrix product when W is full. Strips
    of large matrices are divided over the ranks of `group`, which then all hold the same W and M
    and add their products; each rank has all of a small one. Every rank calls everything.
    """

    def __init__(self, size: int, dtype: np.dtype, group: Group) -> None:
        self.size = size
        self._group = group
        self._divided = group.size > 1 and size >= _DIVIDED
        ranks, rank = (group.size, group.rank) if self._divided else (1, 0)
        spans = [(start, min(start + _ROWS, size)) for start in range(0, size, _ROWS)]
        places = [0, *np.cumsum([(stop - start) * stop for start, stop in spans]).tolist()]
        parts_of_triangle = list(itertools.pairwise(places))
        owners = assign_work([float(stop - start) for start, stop in parts_of_triangle], ranks)
        own = [index for index, owner in enumerate(owners) if owner == rank]
        self._entries = places[-1]
        # Entries of the triangle that each rank holds.
        self._held = tuple(
            merge_spans(
                [p for p, owner in zip(parts_of_triangle, owners, strict=True) if owner == one]
            )
            for one in range(ranks)
        )
        # One buffer in the order of use, so that strips stream from memory.
        ends = np.cumsum([places[index + 1] - places[index] for index in own], dtype=np.intp)
        self._buffer = np.empty(ends[-1] if own else 0, dtype)
        # Behind the last end there is nothing.
        parts = np.split(self._buffer, ends)[: len(own)]
        self._strips = [
            _Strip(*spans[index], part.reshape(-1, spans[index][1]))
            for index, part in zip(own, parts, strict=True)
        ]
        self._vectors = np.zeros((size, _PENDING), dtype)
        self._core = np.zeros((_PENDING, _PENDING), dtype)
        self._filled = 0
        self._scale = 1.0
        (self._gemm,) = get_blas_funcs(("gemm",), dtype=dtype)
        self.reset()

    def reset(self) -> None:
        """Make it the identity."""
        self._buffer[:] = 0
        for start, stop, values in self._strips:
            np.fill_diagonal(values[:, start:stop], 1)
        self._forget()

    def _forget(self) -> None:
        self._vectors[:] = 0
        self._core[:] = 0
        self._filled, self._scale = 0, 1.0

    def __matmul__(self, vector: np.ndarray) -> np.ndarray:
        """Return H v [P] for v [P]; one collective where the matrix is divided."""
        product = np.zeros_like(vector)
        for start, stop, values in self._strips:
            product[start:stop] += values @ vector[:stop]
            product[:start] += vector[start:stop] @ values[:, :start]
        if self._divided:
            product = self._group.sum_numpy(product, "symmetric.product")
        product *= self._scale
        product += self._vectors @ (self._core @ (vector @ self._vectors))
        return product

    def update(self, scale: float, vectors: np.ndarray, core: np.ndarray) -> None:
        """Replace H by scale H + V C V^T with V [P, r] and symmetric C [r, r], r <= K."""
        stop = self._filled + vectors.shape[1]
        if stop > _PENDING:
            self._fold()
            stop = vectors.shape[1]
        new = slice(self._filled, stop)
        self.rescale(scale)
        self._vectors[:, new] = vectors
        self._core[new, new] = core
        self._filled = stop

    def rescale(self, scale: float) -> None:
        """Replace H by scale H."""
        self._scale *= scale
        self._core *= scale

    def _fold(self) -> None:
        """Add the corrections to the strips, in place."""
        for start, stop, values in self._strips:
            # BLAS counts columns first: it sees every array here as its transpose.
            right = self._vectors[start:stop] @ self._core
            self._gemm(
                1.0,
                self._vectors[:stop].T,
                right.T,
                beta=self._scale,
                c=values.T,
                trans_a=1,
                overwrite_c=1,
            )
        self._forget()

    def kept(self) -> Arrays:
        """Return it as arrays for a checkpoint, the same for any number of ranks: views of it."""
        strips: np.ndarray | Divided = self._buffer
        if self._divided:
            strips = Divided(self._entries, self._held, self._buffer, self._group)
        return {
            "strips": strips,
            "vectors": self._vectors,
            "core": self._core,
            "scale": np.array(self._scale),
            "filled": np.array(self._filled),
        }

    @classmethod
    def restored(cls, stored: Stored, group: Group) -> SymmetricMatrix:
        """Return this rank's part of the matrix from the arrays of `kept`; every rank calls it."""
        vectors = stored.whole("vectors")
        matrix = cls(len(vectors), vectors.dtype, group)
        own = matrix._held[group.rank if matrix._divided else 0]
        matrix._buffer[:] = stored.rows("strips", own)
        matrix._vectors[:], matrix._core[:] = vectors, stored.whole("core")
        matrix._scale, matrix._filled = float(stored.whole("scale")), int(stored.whole("filled"))
        return matrix


def symmetric_bytes(size: int, ranks: int) -> float:
    """Return the bytes that a rank needs for a matrix [P, P] in double precision.

    That is its part of a triangle and, while a checkpoint is written, the part of another rank.
    """
    parts = 2 / ranks if size >= _DIVIDED and ranks > 1 else 1.0
    triangle = 8.0 * size * (size + _ROWS) / 2
    return parts * triangle + 8.0 * size * _PENDING


def eigenvectors(matrix: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """Return an orthogonal Q such that Q^T A Q is near diagonal for a symmetric A [n, n].

    By orthogonal iteration, Q <- qr((A + d I) Q), one step from an earlier Q, several from I
    (Golub and Van Loan, Matrix Computations, section 7.3.2). With d a small part of the mean
    eigenvalue Q depends smoothly on A, even where A is singular: eigenvectors of equal eigenvalues
    would be made of rounding errors, which differ with the number of processes.
    """
    size = len(matrix)
    shift = float(np.finfo(matrix.dtype).eps) ** _SHIFT * float(np.trace(matrix)) / size
    identity = np.eye(size, dtype=matrix.dtype)
    shifted = matrix + matrix.dtype.type(shift or 1.0) * identity
    basis = identity if known is None else known
    for _ in range(_FIRST if known is None else 1):
        basis, triangle = qr(shifted @ basis, overwrite_a=True, check_finite=False)
        basis = basis * np.where(np.diag(triangle) < 0, -1, 1).astype(matrix.dtype)
    return basis
