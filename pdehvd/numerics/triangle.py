"""Upper triangles of symmetric matrices as vectors, and their sums over ranks."""

from __future__ import annotations

import numpy as np

from pdehvd.comm.group import Group

# Rows of a matrix that travel as one piece of its upper triangle.
_STRIPE = 256


def sum_upper(group: Group, matrix: np.ndarray) -> np.ndarray:
    """Return the sum over ranks of upper triangles [M, M], in the place of this rank's."""
    if group.size == 1:
        return matrix
    return unpack_upper(group.sum_numpy(pack_upper(matrix), "triangle"), matrix)


def pack_upper(matrix: np.ndarray) -> np.ndarray:
    """Return the entries of a upper triangle [M, M], and a few more, as a vector."""
    return np.concatenate([view.reshape(-1) for view in _stripes(matrix)])


def unpack_upper(packed: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Put the entries of `pack_upper` in the place of a matrix's own, and return it."""
    start = 0
    for view in _stripes(matrix):
        view[...] = packed[start : start + view.size].reshape(view.shape)
        start += view.size
    return matrix


def _stripes(matrix: np.ndarray) -> list[np.ndarray]:
    begins = range(0, len(matrix), _STRIPE)
    return [matrix[begin : begin + _STRIPE, begin:] for begin in begins]
