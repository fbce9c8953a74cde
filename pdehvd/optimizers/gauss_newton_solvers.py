"""Three ways to solve the damped Gauss-Newton system at one theta."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from pdehvd.numerics.cholesky import BlockColumns, Factor
from pdehvd.numerics.damped import Nystrom, conjugate_gradients
from pdehvd.numerics.foreseen import Foreseen, Sent
from pdehvd.objectives.least_squares import LeastSquares

Facts = dict[str, float]


class Solver(ABC):
    """Solves (J^T J + lambda I) x = J^T w at one theta: `damp` first, then as often as needed."""

    def __init__(self, at: LeastSquares) -> None:
        self.at = at

    @abstractmethod
    def expect(self, dampings: Sequence[float]) -> None:
        """Learn which lambda are likely to be asked for, one after another."""

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


class Factored(Solver):
    """Through the Cholesky factor of a matrix with lambda on its diagonal."""

    def __init__(self, at: LeastSquares, matrix: BlockColumns) -> None:
        super().__init__(at)
        self._matrix = matrix
        self._factor: Factor | Sent | None = None
        self._foreseen: Foreseen | None = None

    def expect(self, dampings: Sequence[float]) -> None:
        if Foreseen.pays(self._matrix, dampings):
            self._foreseen = Foreseen(self._matrix, dampings)

    def damp(self, damping: float) -> None:
        found = self._foreseen.at(damping) if self._foreseen else None
        self._factor = found or Factor(self._matrix, damping)

    @property
    def factor(self) -> Factor | Sent:
        """The factor of the last damping."""
        assert self._factor is not None
        return self._factor

    @property
    def facts(self) -> Facts:
        return {"condition": self.factor.condition}


class Normal(Factored):
    """Through J^T J [P, P], for fewer parameters than rows: N P^2 + P^3 / 3 operations."""

    def __init__(self, at: LeastSquares) -> None:
        super().__init__(at, at.normal())

    def solve(self, own: np.ndarray) -> np.ndarray:
        return self.at.agreed(self.factor.solve(self._right(own)))


class Kernel(Factored):
    """Through J J^T [N, N], for fewer rows than parameters: x = J^T (J J^T + lambda I)^-1 w."""

    def __init__(self, at: LeastSquares) -> None:
        super().__init__(at, at.kernel())

    def solve(self, own: np.ndarray) -> np.ndarray:
        dual = self.factor.solve(self.at.gather(own))
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
        self._nystrom = Nystrom.sketch(at.gram, size, rank, seed) if rank else None
        self._damping = 0.0
        self._facts: Facts = {}

    def _product(self, direction: np.ndarray) -> np.ndarray:
        return self.at.gram(direction[None])[0]

    def expect(self, dampings: Sequence[float]) -> None:
        """Nothing can be prepared: there is no matrix to be factored."""

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
