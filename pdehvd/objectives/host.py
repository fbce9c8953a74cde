"""The objective for optimizers that run in Python: NumPy in and out."""

from __future__ import annotations

from functools import cached_property
from typing import Generic, NamedTuple

import numpy as np
import tensorflow as tf

from pdehvd.models.network import Layout
from pdehvd.numerics.vectors import Vectors
from pdehvd.objectives.base import Batch, Objective
from pdehvd.objectives.least_squares import LeastSquares
from pdehvd.objectives.protocols import Point


class _Evaluated(NamedTuple):
    """An evaluation and what it is a function of."""

    theta: np.ndarray
    batch: object
    weights: tf.Tensor
    point: Point


class HostCalls(Generic[Batch]):
    """The compiled functions of one objective; they are traced once and serve every batch."""

    def __init__(self, objective: Objective[Batch]) -> None:
        self.objective = objective
        self.last: _Evaluated | None = None
        self.evaluate = tf.function(objective.evaluate, autograph=False)
        self.losses_at = tf.function(objective.losses_at, autograph=False)


class HostObjective(Generic[Batch]):
    """The objective on one batch with one set of weights: a function of theta [P] alone.

    All returned numbers are global, the same bits on every rank. Counts its evaluations.

    >>> from pdehvd.assembly.build import build_parts
    >>> from pdehvd.comm.group import Solo
    >>> whole = build_parts(experiment, Solo()).objective  # of an `Experiment` with 2 terms
    >>> objective = HostObjective(HostCalls(whole), whole.batch(0), tf.ones([2], tf.float64))
    >>> theta = whole.initial(seed=1)
    >>> point = objective.evaluate(theta)
    >>> point.losses.shape, point.gradient.shape == (objective.size,)
    ((2,), True)
    >>> objective.losses_at(np.stack([theta, 2 * theta])).shape  # [K]
    (2,)
    """

    def __init__(self, calls: HostCalls[Batch], batch: Batch, weights: tf.Tensor) -> None:
        self._calls = calls
        self._batch = batch
        self._weights = weights
        self.evaluations = 0

    @property
    def size(self) -> int:
        """Number of parameters P."""
        return self._calls.objective.size

    @property
    def layout(self) -> Layout:
        """Names and shapes of the parameters, in the order of theta."""
        return self._calls.objective.layout

    @property
    def vectors(self) -> Vectors:
        """How theta and its gradient lie over ranks, with their inner products and norms."""
        return self._calls.objective.vectors

    @cached_property
    def dtype(self) -> np.dtype:
        """The run's precision."""
        dtype: np.dtype = np.dtype(self._calls.objective.dtype.as_numpy_dtype)
        return dtype

    def evaluate(self, theta: np.ndarray) -> Point:
        """Return the loss, its terms and its gradient; one collective.

        Costs nothing where the last evaluation was that of the same theta, points and weights.

        Arguments:
            theta: parameters [P]
        """
        last, batch, weights = self._calls.last, self._batch, self._weights
        same = last is not None and last.batch is batch and last.weights is weights
        if last is not None and same and self.vectors.equal(last.theta, theta):
            return last.point
        self.evaluations += 1
        at = self._calls.evaluate(tf.constant(theta, self.dtype), batch, weights)
        moments = None if at.moments is None else at.moments.numpy()
        point = Point(float(at.loss), at.losses.numpy(), at.gradient.numpy(), moments)
        self._calls.last = _Evaluated(theta.copy(), batch, weights, point)
        return point

    def losses_at(self, thetas: np.ndarray) -> np.ndarray:
        """Return the losses [K] at several thetas [K, P]; one collective for all of them.

        Arguments:
            thetas: parameters [K, P]
        """
        self.evaluations += len(thetas)
        values = self._calls.losses_at(tf.constant(thetas, self.dtype), self._batch, self._weights)
        losses: np.ndarray = values.numpy().astype(np.float64)
        return losses

    def linearize(self, theta: np.ndarray) -> LeastSquares:
        """Return the rows of the sum of squares and their Jacobian at theta.

        Raises `TypeError` where the loss is not one.

        Arguments:
            theta: parameters [P]
        """
        squares = self._calls.objective.squares
        if squares is None:
            raise TypeError("only a sum of squared residuals can be linearised")
        return squares.linearize(theta, self._batch, self._weights)

    def curvature_sample(self, theta: np.ndarray, number: int) -> np.ndarray:
        """Return s [P], E[s s^T] the generalised Gauss-Newton matrix; one collective.

        Another `number` draws another sample; it is the same on any number of ranks. Raises
        `TypeError` where the curvature is not known.

        Arguments:
            theta: parameters [P]
            number: of the sample, from 0
        """
        curvature = self._calls.objective.curvature
        if curvature is None:
            raise TypeError("this loss does not sample its curvature")
        at = tf.constant(theta, self.dtype)
        values: np.ndarray = curvature.sample(at, self._batch, self._weights, number).numpy()
        return values
