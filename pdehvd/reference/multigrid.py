"""Linear systems on regular grids, by conjugate gradients with a multigrid preconditioner."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
from scipy.sparse import csr_array, diags_array, kron
from scipy.sparse.linalg import SuperLU, splu

from pdehvd.errors import ConfigError

_COARSEST = 1000
_ITERATIONS = 100
_TOLERANCE = 1e-13
_RELAXATION = 1.4  # below 2, where a sweep would no longer converge
_SWEEPS = 2


class Multigrid:
    """Solves A x = b [N] for the free nodes `rows` [N] of a grid; A may change from call to call.

    V-cycles with Jacobi sweeps damped by row sums, every second node on the next level, multilinear
    interpolation P and coarse matrices P^T A P. Axes are left alone while their spacing is more
    than 1.5 times the smallest. Source: Briggs, Henson, McCormick, A Multigrid Tutorial (2000).
    """

    def __init__(self, shape: Sequence[int], spacing: Sequence[float], rows: np.ndarray) -> None:
        self.rows = rows
        self._interpolations: list[csr_array] = []
        nodes, widths = list(shape), np.array(spacing, float)
        while rows.size > _COARSEST:
            coarsened = [
                h < 1.5 * widths.min() and n > 2 for h, n in zip(widths, nodes, strict=True)
            ]
            if not any(coarsened):
                break
            lines = [_line(n, flag) for n, flag in zip(nodes, coarsened, strict=True)]
            whole = reduce(lambda a, b: kron(a, b, format="csr"), lines)[rows]
            rows = np.flatnonzero(abs(whole).sum(axis=0))
            self._interpolations.append(whole[:, rows])
            nodes = [line.shape[1] for line in lines]
            widths = np.where(coarsened, 2 * widths, widths)

    def solve(self, matrix: csr_array, right: np.ndarray) -> np.ndarray | None:
        """Return x, or None where the matrix turns out not to be positive definite.

        A direct solver takes over where conjugate gradients converge too slowly.
        """
        cycle = _Cycle.build(matrix, self._interpolations)
        if cycle is None:
            return None
        x, residual = np.zeros_like(right), right.copy()
        direction, before = np.zeros_like(right), 1.0
        for _ in range(_ITERATIONS):
            if np.linalg.norm(residual) <= _TOLERANCE * np.linalg.norm(right):
                return x
            z = cycle(residual)
            product = residual @ z
            direction = z + product / before * direction
            image = matrix @ direction
            curvature = direction @ image
            if not (curvature > 0 and product > 0):
                return None
            x += product / curvature * direction
            residual -= product / curvature * image
            before = product
        return direct(matrix, right)


class _Cycle:
    """The V-cycle of one matrix: a symmetric approximation of its inverse."""

    def __init__(self, levels: list[tuple[csr_array, ...]], matrix: csr_array) -> None:
        self._levels = levels
        self._coarsest = factored(matrix)

    @classmethod
    def build(cls, matrix: csr_array, interpolations: Sequence[csr_array]) -> _Cycle | None:
        """Return the cycle, or None where the matrix is not positive definite."""
        levels = []
        for up in interpolations:
            # Sums of moduli bound the eigenvalues, whatever the anisotropy.
            sums = abs(matrix).sum(axis=1)
            if not (sums > 0).all():
                return None
            down = up.T.tocsr()
            levels.append((matrix, diags_array(_RELAXATION / sums), up, down))
            matrix = down @ (matrix @ up)
        try:
            return cls(levels, matrix)
        except RuntimeError:
            return None

    def __call__(self, right: np.ndarray, level: int = 0) -> np.ndarray:
        if level == len(self._levels):
            values: np.ndarray = self._coarsest.solve(right)
            return values
        matrix, smoother, up, down = self._levels[level]
        x: np.ndarray = smoother @ right
        for _ in range(_SWEEPS - 1):
            x += smoother @ (right - matrix @ x)
        x += up @ self(down @ (right - matrix @ x), level + 1)
        for _ in range(_SWEEPS):
            x += smoother @ (right - matrix @ x)
        return x


def direct(matrix: csr_array, right: np.ndarray) -> np.ndarray:
    """Return x with A x = b by a sparse factorization; raises ConfigError for a singular A."""
    try:
        values: np.ndarray = factored(matrix).solve(right)
        return values
    except RuntimeError as error:
        message = "the energy does not determine its field"
        raise ConfigError(message, (), "more conditions") from error


def factored(matrix: csr_array) -> SuperLU:
    """Return a symmetric matrix's factors; raises RuntimeError where it is singular."""
    options = {"SymmetricMode": True}
    return splu(matrix.tocsc(), "MMD_AT_PLUS_A", diag_pivot_thresh=0.1, options=options)


def _line(n: int, coarsened: bool) -> csr_array:
    """Return the linear interpolation [n, m] from every second of n nodes, and the last."""
    coarse = np.arange(n)
    if coarsened:
        coarse = np.unique([*range(0, n, 2), n - 1])
    fine = np.arange(n)
    left = np.minimum(np.searchsorted(coarse, fine, side="right"), len(coarse) - 1) - 1
    share = (fine - coarse[left]) / (coarse[left + 1] - coarse[left])
    values, columns = np.stack([1 - share, share], axis=1), np.stack([left, left + 1], axis=1)
    line = csr_array((values.ravel(), columns.ravel(), 2 * np.arange(n + 1)), (n, len(coarse)))
    line.eliminate_zeros()
    return line
