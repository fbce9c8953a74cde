"""Protocols of an objective on one batch, for methods that run in Python, at any theta [P].

All returned numbers are global, the same bits on every rank. Where theta lies in pieces, what has P
entries here has those of this rank.

A method names the least that it needs: `HostOptimizer[GradientAt]`. `HostObjective` is all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from pdehvd.models.parametrized import Layout
from pdehvd.numerics.vectors import Vectors

if TYPE_CHECKING:
    from pdehvd.objectives.least_squares import LeastSquares


class Point(NamedTuple):
    """Global numbers at one theta, as `Evaluation` has them."""

    loss: float
    losses: np.ndarray
    gradient: np.ndarray
    moments: np.ndarray | None = None


class GradientAt(Protocol):
    """The loss and its gradient.

    >>> from pdehvd.numerics.vectors import Replicated
    >>> class Bowl:  # fulfils it, for a test of an optimizer
    ...     evaluations = 0
    ...     layout = (("theta", (2,)),)
    ...     vectors = Replicated()
    ...     def evaluate(self, theta):
    ...         return Point(theta @ theta, np.array([theta @ theta]), 2 * theta)
    >>> Bowl().evaluate(np.array([1.0, 2.0])).gradient
    array([2., 4.])
    """

    @property
    def evaluations(self) -> int:
        """Number of evaluations so far."""

    @property
    def layout(self) -> Layout:
        """Names and shapes of the parameters, in the order of theta."""

    @property
    def vectors(self) -> Vectors:
        """How theta and its gradient lie over ranks, with their inner products and norms."""

    def evaluate(self, theta: np.ndarray) -> Point:
        """Return the loss, its terms and its gradient.

        Arguments:
            theta: parameters [P]
        """


class SeveralAt(GradientAt, Protocol):
    """The losses at several thetas as well, for a line search.

    >>> class Bowl:
    ...     def losses_at(self, thetas):
    ...         return np.sum(thetas**2, axis=1)
    >>> Bowl().losses_at(np.array([[1.0, 2.0], [0.0, 3.0]]))
    array([5., 9.])
    """

    def losses_at(self, thetas: np.ndarray) -> np.ndarray:
        """Return the losses [K] at several thetas [K, P].

        Arguments:
            thetas: parameters [K, P]
        """


class SquaresAt(SeveralAt, Protocol):
    """A sum of squares whose rows can be linearised as well.

    >>> from pdehvd.optimizers.gauss_newton import GaussNewton
    >>> from pdehvd.comm.group import Solo
    >>> optimizer = GaussNewton().build(Solo())  # a `HostOptimizer[SquaresAt]`
    >>> optimizer.needs.least_squares
    True
    """

    def linearize(self, theta: np.ndarray) -> LeastSquares:
        """Return the rows and their Jacobian at theta.

        Arguments:
            theta: parameters [P]
        """


class CurvatureAt(GradientAt, Protocol):
    """Samples of the curvature as well.

    >>> class Bowl:  # whose matrix is 2 I: E[s s^T] = 2 I
    ...     def curvature_sample(self, theta, number):
    ...         signs = np.random.default_rng(number).choice([-1.0, 1.0], len(theta))
    ...         return np.sqrt(2.0) * signs
    >>> np.abs(Bowl().curvature_sample(np.zeros(2), 0)).round(3)
    array([1.414, 1.414])
    """

    def curvature_sample(self, theta: np.ndarray, number: int) -> np.ndarray:
        """Return the `number`th s [P], E[s s^T] the generalised Gauss-Newton matrix.

        Arguments:
            theta: parameters [P]
            number: of the sample, from 0
        """


class AllAt(SquaresAt, CurvatureAt, Protocol):
    """All of these; what a loss does not have raises `TypeError`."""
