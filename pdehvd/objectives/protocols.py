"""Protocols of an objective on one batch, for methods that run in Python, at any theta [P].

All returned numbers are global, the same bits on every rank. A method names the least that it
needs: `HostOptimizer[GradientAt]`. `HostObjective` is all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from pdehvd.models.parametrized import Layout

if TYPE_CHECKING:
    from pdehvd.objectives.least_squares import LeastSquares


class Point(NamedTuple):
    """Global numbers at one theta, as `Evaluation` has them."""

    loss: float
    losses: np.ndarray
    gradient: np.ndarray
    moments: np.ndarray | None = None


class GradientAt(Protocol):
    """The loss and its gradient."""

    @property
    def evaluations(self) -> int:
        """Number of evaluations so far."""

    @property
    def layout(self) -> Layout:
        """Names and shapes of the parameters, in the order of theta."""

    def evaluate(self, theta: np.ndarray) -> Point:
        """Return the loss, its terms and its gradient."""


class SeveralAt(GradientAt, Protocol):
    """The losses at several thetas as well, for a line search."""

    def losses_at(self, thetas: np.ndarray) -> np.ndarray:
        """Return the losses [K] at several thetas [K, P]."""


class SquaresAt(SeveralAt, Protocol):
    """A sum of squares whose rows can be linearised as well."""

    def linearize(self, theta: np.ndarray) -> LeastSquares:
        """Return the rows and their Jacobian at theta."""


class CurvatureAt(GradientAt, Protocol):
    """Samples of the curvature as well."""

    def curvature_sample(self, theta: np.ndarray, number: int) -> np.ndarray:
        """Return the `number`th s [P], E[s s^T] the generalised Gauss-Newton matrix."""


class AllAt(SquaresAt, CurvatureAt, Protocol):
    """All of these; what a loss does not have raises `TypeError`."""
