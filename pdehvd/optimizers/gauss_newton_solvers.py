"""Three ways to solve the damped Gauss-Newton system at one theta."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.numerics.cholesky import BlockRows, Factor
from pdehvd.numerics.damped import Nystrom, conjugate_gradients

if TYPE_CHECKING:
    from pdehvd.objectives.least_squares import LeastSquares

Facts = dict[str, float]


class Solver(ABC):
    """Solves (J^T J + lambda I) x = J^T w at one theta: `damp` first, then as often as needed."""

    def __init__(self, at: LeastSquares) -> None:
        self.at = at

    @abstractmethod
    def damp(self, damping: float) -> None:
        """Choose lambda; raises `NotPositiveError` where it is below the rounding of the system."""

    @abstractmethod
    def solve(self, own: np.ndarray) -> np.ndarray:
        """Return x [P] from this rank's part of the rows w."""

    @property
    @abstractmethod
    def facts(self) -> Facts:
        """What there is to tell about the last solution."""

    def _right(self, own: np.ndarray) -> np.ndarray:
        return self.at.gradient if own is self.at.own else self.at.vjp(own)


class CholeskySolver(Solver):
    """Through the Cholesky factor of a matrix with lambda on its diagonal."""

    def __init__(self, at: LeastSquares, matrix: BlockRows) -> None:
        super().__init__(at)
        self._matrix = matrix

    def damp(self, damping: float) -> None:
        self._factor = Factor(self._matrix, damping)

    @property
    def facts(self) -> Facts:
        return {"condition": self._factor.condition}


class Normal(CholeskySolver):
    """Through J^T J [P, P], for fewer parameters than rows: N P^2 + P^3 / 3 operations."""

    def __init__(self, at: LeastSquares) -> None:
        super().__init__(at, at.normal())

    def solve(self, own: np.ndarray) -> np.ndarray:
        return self.at.agreed(self._factor.solve(self._right(own)))


class Kernel(CholeskySolver):
    """Through J J^T [N, N], for fewer rows than parameters: x = J^T (J J^T + lambda I)^-1 w."""

    def __init__(self, at: LeastSquares) -> None:
        super().__init__(at, at.kernel())

    def solve(self, own: np.ndarray) -> np.ndarray:
        dual = self._factor.solve(self.at.gather(own))
        return self.at.vjp(dual[self.at.place])


class ConjugateGradients(Solver):
    """Without a matrix: products J^T (J v), preconditioned by a Nystrom approximation of rank r."""

    def __init__(
        self, at: LeastSquares, iterations: int, tolerance: float, rank: int, seed: int
    ) -> None:
        super().__init__(at)
        self._iterations = iterations
        self._tolerance = tolerance
        size = len(at.gradient)
        self._nystrom = Nystrom.sketch(self._products, size, rank, seed) if rank else None
        self._damping = 0.0
        self._facts: Facts = {}

    def _products(self, directions: np.ndarray) -> np.ndarray:
        """Return J^T J v [m, P] for vectors v [m, P], which may have more digits than J."""
        return self.at.gram(directions.astype(self.at.own.dtype))

    def _product(self, direction: np.ndarray) -> np.ndarray:
        values: np.ndarray = self._products(direction[None])[0]
        return values

    def damp(self, damping: float) -> None:
        self._damping = damping

    def solve(self, own: np.ndarray) -> np.ndarray:
        nystrom, damping = self._nystrom, self._damping
        found = conjugate_gradients(
            lambda v: self._product(v) + damping * v,
            self._right(own),
            (lambda v: nystrom.apply(v, damping)) if nystrom else (lambda v: v),
            self._iterations,
            self._tolerance,
        )
        self._facts = {
            "cg_iterations": float(found.iterations),
            "cg_residual": found.residual,
        }
        return self.at.agreed(found.solution)

    @property
    def facts(self) -> Facts:
        return self._facts
