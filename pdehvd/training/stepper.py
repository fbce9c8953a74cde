"""The compiled part of training: many steps in one call, new weights, new points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from pdehvd.objectives.objective import Batch, PDEObjective
from pdehvd.objectives.weighting import Weighting
from pdehvd.optimizers.base import BoundObjective, Facts, Optimizer, State
from pdehvd.training.evaluator import Evaluator
from pdehvd.training.state import TrainState


@dataclass(frozen=True)
class Parts:
    """What a trainer is made of."""

    objective: PDEObjective
    optimizer: Optimizer
    weighting: Weighting
    evaluator: Evaluator | None
    seed: int


class Called(NamedTuple):
    """What a call of several steps returns; losses are those before the last update."""

    theta: tf.Tensor
    optimizer: State
    done: tf.Tensor
    loss: tf.Tensor
    losses: tf.Tensor
    facts: Facts
    flags: tf.Tensor


class Stepper:
    """Does steps, weights and points; everything it returns is the same on every rank."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.group = parts.objective.group
        # One process can compile the whole loop; a collective cannot be inside XLA.
        self._advance = tf.function(self._steps, jit_compile=self.group.size == 1, autograph=False)
        self._residual = tf.function(
            parts.objective.equation_error, jit_compile=True, autograph=False
        )
        self._renew = tf.function(self._renewed, autograph=False)

    def advance(self, state: TrainState, batch: Batch, count: int, flags: list[bool]) -> Called:
        """Do up to `count` steps; stop early where the loss is no number.

        `flags` travel with the call: the sums over ranks come back, so all ranks read the same.
        """
        return self._advance(
            state.theta,
            state.optimizer,
            batch,
            state.weights,
            tf.constant(count, tf.int32),
            tf.constant([float(flag) for flag in flags], tf.float32),
        )

    def _steps(
        self,
        theta: tf.Tensor,
        optimizer: State,
        batch: Batch,
        weights: tf.Tensor,
        count: tf.Tensor,
        flags: tf.Tensor,
    ) -> Called:
        bound = BoundObjective(self.parts.objective, batch, weights)
        zero = tf.zeros([], theta.dtype)
        facts = {name: zero for name in self.parts.optimizer.facts}

        def body(i: Any, theta: Any, optimizer: Any, *_: Any) -> tuple[Any, ...]:
            theta, optimizer, at, facts = self.parts.optimizer.step(bound, theta, optimizer)
            return i + 1, theta, optimizer, at.loss, at.losses, facts

        def goes_on(i: Any, theta: Any, optimizer: Any, loss: Any, *_: Any) -> Any:
            return (i < count) & tf.math.is_finite(loss)

        start = (tf.zeros([], tf.int32), theta, optimizer, zero, tf.zeros_like(weights), facts)
        # Iterations in parallel would put several collectives of one name in flight.
        done, theta, optimizer, loss, losses, facts = tf.while_loop(
            goes_on, body, start, parallel_iterations=1
        )
        (flags,) = self.group.sum([flags], "flags")
        return Called(theta, optimizer, done, loss, losses, facts, flags)

    def renewed(self, state: TrainState, batch: Batch) -> TrainState:
        """Return the state with weights from its gradients or kernels."""
        step = tf.constant(state.step, tf.int32)
        return replace(state, weights=self._renew(state.theta, batch, state.weights, step))

    def _renewed(
        self, theta: tf.Tensor, batch: Batch, weights: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        parts = self.parts
        return parts.weighting.renewed(parts.objective, theta, batch, weights, step, parts.seed)

    def batch(self, state: TrainState) -> Batch:
        """Return this rank's points for the steps after `state`."""
        return self.parts.objective.batch(self._round(state.step), state.selection)

    def resampled(self, state: TrainState) -> TrainState:
        """Return the state with the choice of adaptive points, from global residuals."""
        objective = self.parts.objective
        adaptive, interior = objective.problem.adaptive, objective.problem.interior
        if adaptive is None:
            return state
        round_ = self._round(state.step)
        start, stop = self.group.shard(interior.candidates)
        data = objective.tensors(interior.candidate_items(round_, start, stop))
        own = self._residual(state.theta, data).numpy().astype(np.float64)
        sizes = self.group.gather_numpy(own, "residuals")
        return replace(state, selection=adaptive.select(sizes, interior.count, (round_, 0)))

    def _round(self, step: int) -> int:
        period = self.parts.objective.problem.period
        return step // period if period else 0
