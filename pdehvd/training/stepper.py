"""The compiled part of training: many steps in one call, new weights, new points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from pdehvd.objectives.base import Batch, Objective
from pdehvd.objectives.host import HostCalls, HostObjective
from pdehvd.objectives.protocols import AllAt
from pdehvd.objectives.weighting import Weighting
from pdehvd.optimizers.base import (
    Facts,
    HostOptimizer,
    StalledError,
    State,
)
from pdehvd.training.ahead import Ahead
from pdehvd.training.evaluator import AnyEvaluator
from pdehvd.training.loop import Looped, StepLoop
from pdehvd.training.monitors import Monitors
from pdehvd.training.phases import Phase, phase_at
from pdehvd.training.state import TrainState


@dataclass(frozen=True)
class Parts(Generic[Batch]):
    """What a trainer is made of; `notes` are what a user must read before the training.

    `monitors` are measured when errors are, or would be.
    """

    objective: Objective[Batch]
    phases: Sequence[Phase]
    weighting: Weighting
    evaluator: AnyEvaluator | None
    seed: int
    notes: Sequence[str] = ()
    monitors: Monitors | None = None


AnyParts: TypeAlias = "Parts[Any]"


class Called(NamedTuple):
    """What a call of several steps returns.

    The losses of a compiled optimizer are those before its last update, of others those after it.
    `stalled` says why the optimizer cannot go on, where it cannot. `fault` is the last theta [P]
    that is finite, where the loss, its gradient or the step from there is not.
    """

    theta: tf.Tensor
    optimizer: State
    moments: tf.Tensor
    done: int
    loss: float
    losses: np.ndarray
    facts: dict[str, float]
    flags: np.ndarray
    stalled: str = ""
    fault: tf.Tensor | None = None


class Stepper(Generic[Batch]):
    """Does steps, weights and points; everything it returns is the same on every rank."""

    def __init__(self, parts: Parts[Batch]) -> None:
        self.parts = parts
        self.group = parts.objective.group
        self._loops = [
            None
            if isinstance(phase.optimizer, HostOptimizer)
            else StepLoop(parts.objective, phase.optimizer)
            for phase in parts.phases
        ]
        self._calls = HostCalls(parts.objective)
        self._ahead = Ahead(parts.objective)
        self._renew = tf.function(self._renewed, autograph=False)

    def phase(self, step: int) -> Phase:
        """Return the phase that does the next step."""
        return phase_at(self.parts.phases, step)

    @property
    def starts(self) -> list[int]:
        """Steps after which the next optimizer continues."""
        return [phase.stop for phase in self.parts.phases[:-1] if phase.stop is not None]

    def advance(self, state: TrainState, batch: Batch, count: int, flags: list[bool]) -> Called:
        """Do up to `count` steps of one phase; stop early where the loss is not a number.

        `flags` travel with the call: the sums over ranks come back, so all ranks read the same.
        """
        phase = self.phase(state.step)
        wishes = np.array(flags, np.float32)
        if isinstance(phase.optimizer, HostOptimizer):
            called = self._host_steps(phase.optimizer, state, batch, count)
            return called._replace(flags=self.group.sum_numpy(wishes, "flags"))
        loop = self._loops[self.parts.phases.index(phase)]
        assert loop is not None
        called = _called(loop(state, batch, count, wishes))
        if self._finite(called.loss, called.theta):
            return called
        quiet = [False] * len(flags)
        fault = self._fault(state, batch, called.done, quiet) if count > 1 else state.theta
        return called._replace(fault=fault)

    def _fault(self, state: TrainState, batch: Batch, count: int, flags: list[bool]) -> tf.Tensor:
        """Do the steps again, one by one; return theta before the one that is not finite."""
        for _ in range(count):
            called = self.advance(state, batch, 1, flags)
            if called.fault is not None:
                break
            own = {"optimizer": called.optimizer, "moments": called.moments}
            state = replace(state, step=state.step + 1, theta=called.theta, **own)
        return state.theta

    def _host_steps(
        self, optimizer: HostOptimizer[AllAt], state: TrainState, batch: Batch, count: int
    ) -> Called:
        """Do steps one by one; a step that stalls leaves everything as it was before."""
        bound = HostObjective(self._calls, batch, state.weights)
        theta, own, moments = state.theta.numpy(), state.optimizer, state.moments
        facts: Facts = {}
        loss, losses, stalled, done, good = float("nan"), np.zeros(0), "", 0, True
        while good and done < count and not stalled:
            before = theta
            try:
                # What leaves the range of numbers is looked for below.
                with np.errstate(all="ignore"):
                    theta, own, at, facts = optimizer.step(bound, theta, own)
            except StalledError as error:
                stalled, at = str(error), bound.evaluate(theta)
                good = self._finite(at.loss, at.gradient)
            else:
                done, moments = done + 1, self.parts.objective.averaged(moments, at.moments)
                good = self._finite(at.loss, theta)
            if done == 0 or not stalled:
                loss, losses = at.loss, at.losses
        numbers = {name: float(value) for name, value in facts.items()}
        fault = None if good else tf.constant(before, state.theta.dtype)
        theta = tf.constant(theta, state.theta.dtype)
        flags = np.zeros(0)
        return Called(theta, own, moments, done, loss, losses, numbers, flags, stalled, fault)

    def _finite(self, loss: float, vector: tf.Tensor | np.ndarray) -> bool:
        """Return whether a loss and all entries of a vector [P] are finite."""
        return bool(np.isfinite(loss)) and self.parts.objective.vectors.finite(vector)

    def before_first(self, state: TrainState, batch: Batch) -> tuple[float, np.ndarray] | None:
        """Return the loss and its terms at theta, where the losses of steps are those after them.

        None where the first step tells them.
        """
        if not isinstance(self.phase(state.step).optimizer, HostOptimizer):
            return None
        at = HostObjective(self._calls, batch, state.weights).evaluate(state.theta.numpy())
        return at.loss, at.losses

    def renewed(self, state: TrainState, batch: Batch) -> TrainState:
        """Return the state with weights from its gradients or kernels."""
        step = tf.constant(state.step, tf.int32)
        return replace(state, weights=self._renew(state.theta, batch, state.weights, step))

    def _renewed(
        self, theta: tf.Tensor, batch: Batch, weights: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        parts, measures = self.parts, self.parts.objective.term_measures
        if measures is None:
            raise TypeError("adaptive weights need more than one term")
        return parts.weighting.renewed(measures, theta, batch, weights, step, parts.seed)

    def batch(self, state: TrainState) -> Batch:
        """Return this rank's shard for the steps after `state`."""
        return self._ahead.batch(self.round(state.step), state.selection)

    def resampled(self, state: TrainState) -> TrainState:
        """Return the state with the choice of adaptive points, from global residuals."""
        chosen = self.parts.objective.select(state.theta, self.round(state.step))
        return state if chosen is None else replace(state, selection=chosen)

    def round(self, step: int) -> int:
        """Return the round of the points of the step after `step` steps."""
        period = self.parts.objective.period
        return step // period if period else 0


def _called(looped: Looped) -> Called:
    """Return what a loop has led to as numbers."""
    steps = looped.steps
    facts = {name: float(value) for name, value in steps.facts.items()}
    return Called(
        steps.theta,
        steps.optimizer,
        steps.moments,
        int(steps.done),
        float(steps.loss),
        steps.losses.numpy(),
        facts,
        looped.flags.numpy(),
    )
