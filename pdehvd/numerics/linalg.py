"""A dense symmetric matrix that is cheap to multiply with and to correct, divided over ranks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import get_blas_funcs, qr

from pdehvd.comm.group import Group
from pdehvd.numerics.kronecker import share

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
        spans = [(start, min(start + _ROWS, size)) for start in range(0, size, _ROWS)]
        places = np.cumsum([0, *((stop - start) * stop for start, stop in spans)])
        owners = share(np.diff(places).tolist(), group.size if self._divided else 1)
        rank = group.rank if self._divided else 0
        own = [index for index, owner in enumerate(owners) if owner == rank]
        self._places = [slice(places[index], places[index + 1]) for index in own]
        self._entries = int(places[-1])
        # One buffer in the order of use, so that strips stream from memory.
        ends = np.cumsum([place.stop - place.start for place in self._places], dtype=np.intp)
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

    def gathered(self) -> dict[str, np.ndarray]:
        """Return all of it as arrays for a checkpoint; the same for any number of ranks."""
        strips = self._buffer.copy()
        if self._divided:
            whole = np.zeros(self._entries, self._buffer.dtype)
            for place, (_, _, values) in zip(self._places, self._strips, strict=True):
                whole[place] = values.reshape(-1)
            strips = self._group.sum_numpy(whole, "symmetric.whole")
        return {
            "strips": strips,
            "vectors": self._vectors.copy(),
            "core": self._core.copy(),
            "scale": np.array(self._scale),
            "filled": np.array(self._filled),
        }

    @classmethod
    def scattered(cls, arrays: dict[str, np.ndarray], group: Group) -> SymmetricMatrix:
        """Return this rank's part of the matrix from the arrays of `gathered`."""
        size, strips = len(arrays["vectors"]), arrays["strips"]
        matrix = cls(size, strips.dtype, group)
        for place, (_, _, values) in zip(matrix._places, matrix._strips, strict=True):
            values[:] = strips[place].reshape(values.shape)
        matrix._vectors[:] = arrays["vectors"]
        matrix._core[:] = arrays["core"]
        matrix._scale, matrix._filled = float(arrays["scale"]), int(arrays["filled"])
        return matrix


def symmetric_bytes(size: int, ranks: int) -> float:
    """Return the bytes that a rank needs for a matrix [P, P] in double precision.

    That is its part of a triangle and, while a checkpoint is written, the whole of it three times:
    summed, as arrays, and as the file's bytes.
    """
    divided = ranks if size >= _DIVIDED else 1
    triangle = 8.0 * size * (size + _ROWS) / 2
    return triangle / divided + 3 * triangle + 8.0 * size * _PENDING


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
