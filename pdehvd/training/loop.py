"""Many steps of a compiled optimizer in one call."""

from __future__ import annotations

from typing import Generic, NamedTuple

import numpy as np
import tensorflow as tf

from pdehvd.objectives.base import Batch, Objective
from pdehvd.optimizers.base import BoundObjective, Facts, Optimizer, State
from pdehvd.training.state import TrainState


class Steps(NamedTuple):
    """What some steps have led to: how many, and where; losses before the last update.

    theta [P], the optimizer's state, moving averages [M], the loss [], each term's loss [T].
    """

    done: tf.Tensor
    theta: tf.Tensor
    optimizer: State
    moments: tf.Tensor
    loss: tf.Tensor
    losses: tf.Tensor
    facts: Facts


class Looped(NamedTuple):
    """What a call has led to, and the sums of all ranks' flags."""

    steps: Steps
    flags: tf.Tensor


class StepLoop(Generic[Batch]):
    """An optimizer's loop of steps on one batch, compiled once."""

    def __init__(self, objective: Objective[Batch], optimizer: Optimizer) -> None:
        self._objective = objective
        self._optimizer = optimizer
        self._compiled = tf.function(self._run, jit_compile=objective.compiled, autograph=False)

    def __call__(self, state: TrainState, batch: Batch, count: int, flags: np.ndarray) -> Looped:
        """Do up to `count` steps; stop early where the loss is not finite."""
        looped: Looped = self._compiled(
            state.theta,
            state.optimizer,
            state.moments,
            batch,
            state.weights,
            tf.constant(count, tf.int32),
            tf.constant(flags),
        )
        return looped

    def _run(
        self,
        theta: tf.Tensor,
        optimizer: State,
        moments: tf.Tensor,
        batch: Batch,
        weights: tf.Tensor,
        count: tf.Tensor,
        flags: tf.Tensor,
    ) -> Looped:
        bound = BoundObjective(self._objective, batch, weights)
        zero = tf.zeros([], theta.dtype)
        facts: Facts = {name: zero for name in self._optimizer.facts}

        def one_more(steps: Steps) -> list[Steps]:
            theta, optimizer, at, facts = self._optimizer.step(bound, steps.theta, steps.optimizer)
            moments = self._objective.averaged(steps.moments, at.moments)
            return [Steps(steps.done + 1, theta, optimizer, moments, at.loss, at.losses, facts)]

        def goes_on(steps: Steps) -> tf.Tensor:
            return (steps.done < count) & tf.math.is_finite(steps.loss)

        none = tf.zeros_like(weights)
        start = Steps(tf.zeros([], tf.int32), theta, optimizer, moments, zero, none, facts)
        # Iterations in parallel would put several collectives of one name in flight.
        (end,) = tf.while_loop(goes_on, one_more, [start], parallel_iterations=1)
        # Not during the steps, whose collectives it would meet on other ranks.
        flags = tf.where(end.done < 0, tf.zeros_like(flags), flags)
        (flags,) = self._objective.group.sum([flags], "flags")
        return Looped(end, flags)
