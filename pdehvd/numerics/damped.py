"""Solvers of (A + lambda I) x = b for symmetric positive A: Cholesky, and conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import linalg

from pdehvd.comm.group import Group

# From here on, communication costs less than the arithmetic that it saves.
_DIVIDED = 1536
# Columns of a panel: wide enough for fast products, narrow enough to keep all ranks busy.
_PANEL = 192

Product = Callable[[np.ndarray], np.ndarray]


class NotPositiveError(ArithmeticError):
    """A matrix is not positive definite in the precision of the run."""


class Factor:
    """The Cholesky factor of A + lambda I from the lower triangle of A [M, M].

    Large ones are computed together by the ranks of `group`, which all have A and get the factor.
    Raises `NotPositiveError` where rounding has made the matrix indefinite.
    """

    def __init__(self, lower: np.ndarray, damping: float, group: Group) -> None:
        matrix = lower.copy()
        matrix[np.diag_indices_from(matrix)] += damping
        divided = group.size > 1 and len(matrix) >= _DIVIDED
        self._lower = _divided(matrix, group) if divided else _cholesky(matrix)

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return x [M] for b [M]."""
        # LAPACK's order is that of columns: our lower triangle is its upper one.
        (potrs,) = linalg.get_lapack_funcs(("potrs",), (self._lower,))
        solution, _ = potrs(self._lower.T, right, lower=0)
        result: np.ndarray = solution
        return result

    @property
    def condition(self) -> float:
        """The ratio of the largest to the smallest pivot, a lower bound of the condition number."""
        pivots = np.square(np.diagonal(self._lower))
        return float(pivots.max() / pivots.min())


def _cholesky(matrix: np.ndarray) -> np.ndarray:
    """Return the factor L in the lower triangle, in the place of the matrix."""
    (potrf,) = linalg.get_lapack_funcs(("potrf",), (matrix,))
    factor, info = potrf(matrix.T, lower=0, overwrite_a=1, clean=0)
    if info != 0:
        raise NotPositiveError(f"pivot {info} is not positive")
    result: np.ndarray = factor.T
    return result


def _divided(matrix: np.ndarray, group: Group) -> np.ndarray:
    """Return the factor L; ranks own panels of columns in turn and update those they own.

    Right-looking (Golub and Van Loan, Matrix Computations, 4.2.9): the owner factors a panel,
    all get it, and each subtracts its products from the panels behind it that are its own.
    """
    size = len(matrix)
    panels = [slice(start, min(start + _PANEL, size)) for start in range(0, size, _PANEL)]
    for number, panel in enumerate(panels):
        own = number % group.size == group.rank
        column = np.zeros((size - panel.start, panel.stop - panel.start), matrix.dtype)
        if own:
            column[...] = _factored(matrix[panel.start :, panel])
        column = group.sum_numpy(column, f"panel.{number}")
        if not np.all(np.isfinite(np.diagonal(column))):
            raise NotPositiveError(f"a pivot of panel {number} is not positive")
        matrix[panel.start :, panel] = column
        for later in range(number + 1, len(panels)):
            if later % group.size == group.rank:
                place = panels[later]
                below = column[place.start - panel.start :]
                matrix[place.start :, place] -= below @ below[: place.stop - place.start].T
    return matrix


def _factored(column: np.ndarray) -> np.ndarray:
    """Return a panel [m, b] of L; nan where it is not positive, which all ranks then see."""
    width = column.shape[1]
    try:
        top = linalg.cholesky(column[:width], lower=True)
    except linalg.LinAlgError:
        return np.full_like(column, np.nan)
    rest = linalg.solve_triangular(top, column[width:].T, lower=True).T
    result: np.ndarray = np.concatenate([top, rest])
    return result


@dataclass(frozen=True)
class Nystrom:
    """A ~ U diag(d) U^T of rank r, U [M, r] with orthonormal columns, d [r] falling.

    As a preconditioner: P^-1 x = U ((d_r + lambda) / (d + lambda) - 1) U^T x + x (Frangella, Tropp,
    Udell, SIAM Journal on Matrix Analysis 44 (2023) 718, equation 5.3).
    """

    vectors: np.ndarray
    values: np.ndarray

    @classmethod
    def sketch(cls, product: Product, size: int, rank: int, seed: int) -> Nystrom:
        """Return the approximation from A times a random matrix [M, r] (ibid., algorithm 2.1)."""
        random = np.random.default_rng(seed)
        probes, _ = np.linalg.qr(random.standard_normal((size, min(rank, size))))
        image = np.stack([product(probe) for probe in probes.T], 1)
        shift = np.sqrt(size) * np.finfo(image.dtype).eps * np.linalg.norm(image)
        image = image + shift * probes
        core = probes.T @ image
        triangle = linalg.cholesky((core + core.T) / 2, lower=False)
        root = linalg.solve_triangular(triangle, image.T, trans="T").T
        vectors, singular, _ = np.linalg.svd(root, full_matrices=False)
        return cls(vectors, np.maximum(np.square(singular) - shift, 0))

    def apply(self, right: np.ndarray, damping: float) -> np.ndarray:
        """Return P^-1 x [M]."""
        shrink = (self.values[-1] + damping) / (self.values + damping) - 1
        result: np.ndarray = right + self.vectors @ (shrink * (self.vectors.T @ right))
        return result


class Solved(NamedTuple):
    """An approximate solution [M], the iterations done, and |b - A x| / |b|."""

    solution: np.ndarray
    iterations: int
    residual: float


def conjugate_gradients(
    product: Product, right: np.ndarray, precondition: Product, iterations: int, tolerance: float
) -> Solved:
    """Return x with A x ~ b, one product an iteration (Hestenes and Stiefel 1952)."""
    solution = np.zeros_like(right)
    residual, size = right.copy(), float(np.linalg.norm(right))
    direction = preconditioned = precondition(residual)
    energy, done = float(residual @ preconditioned), 0
    while done < iterations and float(np.linalg.norm(residual)) > tolerance * size:
        image = product(direction)
        curvature = float(direction @ image)
        if curvature <= 0:
            break
        solution += energy / curvature * direction
        # A new array: without a preconditioner the old one is also the direction.
        residual = residual - energy / curvature * image
        preconditioned = precondition(residual)
        energy, before = float(residual @ preconditioned), energy
        direction = preconditioned + energy / before * direction
        done += 1
    left = float(np.linalg.norm(residual)) / size if size else 0.0
    return Solved(solution, done, left)
