"""The objective for optimizers that run in Python: NumPy in and out."""

from __future__ import annotations

from functools import cached_property
from typing import Generic, NamedTuple, cast

import numpy as np
import tensorflow as tf

from pdehvd.models.network import Layout
from pdehvd.objectives.base import Batch, Objective
from pdehvd.objectives.batches import PointBatch
from pdehvd.objectives.least_squares import LeastSquares
from pdehvd.objectives.linearization import Linearization
from pdehvd.objectives.objective import PDEObjective


class Point(NamedTuple):
    """Global numbers at one theta, as `Evaluation` has them."""

    loss: float
    losses: np.ndarray
    gradient: np.ndarray
    moments: np.ndarray | None = None


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
        self.curvature_sample = tf.function(objective.curvature_sample, autograph=False)

    @cached_property
    def squares(self) -> PDEObjective:
        """The objective as a sum of squares, for methods that need one."""
        if not isinstance(self.objective, PDEObjective):
            raise TypeError("only a sum of squared residuals can be made linear")
        return self.objective

    @cached_property
    def linear(self) -> Linearization:
        """What makes the residuals linear."""
        return Linearization(self.squares.law, self.squares.counts, self.squares.dtype)


class HostObjective(Generic[Batch]):
    """The objective on one batch with one set of weights: a function of theta [P] alone.

    All returned numbers are global, the same bits on every rank. Counts its evaluations.
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

    @cached_property
    def dtype(self) -> np.dtype:
        """The run's precision."""
        return np.dtype(self._calls.objective.dtype.as_numpy_dtype)

    def evaluate(self, theta: np.ndarray) -> Point:
        """Return the loss, its terms and its gradient; one collective.

        Costs nothing where the last evaluation was that of the same theta, points and weights.
        """
        last, batch, weights = self._calls.last, self._batch, self._weights
        same = last is not None and last.batch is batch and last.weights is weights
        if last is not None and same and np.array_equal(last.theta, theta):
            return last.point
        self.evaluations += 1
        at = self._calls.evaluate(tf.constant(theta, self.dtype), batch, weights)
        moments = None if at.moments is None else at.moments.numpy()
        point = Point(float(at.loss), at.losses.numpy(), at.gradient.numpy(), moments)
        self._calls.last = _Evaluated(theta.copy(), batch, weights, point)
        return point

    def losses_at(self, thetas: np.ndarray) -> np.ndarray:
        """Return the losses [K] at several thetas [K, P]; one collective for all of them."""
        self.evaluations += len(thetas)
        values = self._calls.losses_at(tf.constant(thetas, self.dtype), self._batch, self._weights)
        return values.numpy().astype(np.float64)

    def curvature_sample(self, theta: np.ndarray, number: int) -> np.ndarray:
        """Return s [P], E[s s^T] the generalised Gauss-Newton matrix; one collective.

        Another `number` draws another sample; it is the same on any number of ranks.
        """
        signed = self._calls.objective.with_signs(self._batch, number)
        at = tf.constant(theta, self.dtype)
        values: np.ndarray = self._calls.curvature_sample(at, signed, self._weights).numpy()
        return values

    def linearize(self, theta: np.ndarray) -> LeastSquares:
        """Return the rows of the sum of squares and their Jacobian at theta."""
        squares, linear = self._calls.squares, self._calls.linear
        reducer, shards = squares.row_reducer, squares.reducer.shards
        return LeastSquares(
            linear,
            reducer,
            shards(cast(PointBatch, self._batch)),
            lambda: shards(cast(PointBatch, self._whole)),
            self._weights,
            theta,
        )

    @cached_property
    def _whole(self) -> Batch:
        """The points of all ranks; few numbers beside what is computed from them."""
        group = self._calls.objective.group
        columns = enumerate(tf.nest.flatten(self._batch))
        gathered = [
            tf.constant(group.gather_numpy(column.numpy(), f"whole.{number}"))
            for number, column in columns
        ]
        whole: Batch = tf.nest.pack_sequence_as(self._batch, gathered)
        return whole
