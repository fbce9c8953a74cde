"""The trainer: repeats steps, and does what is due between them."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import FrameType

import numpy as np
import tensorflow as tf

from pdehvd.objectives.objective import Batch, PDEObjective
from pdehvd.objectives.weighting import Weighting
from pdehvd.optimizers.base import BoundObjective, Optimizer
from pdehvd.training.checkpoint import Checkpoints
from pdehvd.training.evaluator import Evaluator
from pdehvd.training.history import History
from pdehvd.training.progress import Progress
from pdehvd.training.spec import TrainingSpec
from pdehvd.training.state import TrainState


@dataclass(frozen=True)
class Parts:
    """What a trainer is made of."""

    objective: PDEObjective
    optimizer: Optimizer
    weighting: Weighting
    evaluator: Evaluator | None
    seed: int


@dataclass(frozen=True)
class Output:
    """Where a trainer writes; all of it is silent on every rank but 0."""

    history: History
    progress: Progress
    checkpoints: Checkpoints


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `completed`, `diverged` or `interrupted`, and why."""

    status: str
    reason: str
    state: TrainState
    loss: float
    errors: dict[str, float]
    seconds_per_step: float


@dataclass
class _Recent:
    """The last numbers seen, and the time of the steps since they were last logged."""

    losses: np.ndarray
    loss: float = math.nan
    facts: dict[str, float] | None = None
    errors: dict[str, float] | None = None
    steps: int = 0
    seconds: float = 0.0
    all_steps: int = 0
    all_seconds: float = 0.0

    @property
    def seconds_per_step(self) -> float:
        return self.seconds / self.steps if self.steps else math.nan


class Trainer:
    """Runs an optimizer on an objective from one state to the end of the plan.

    Decisions to stop come from global numbers, so all ranks take them alike.
    """

    def __init__(self, parts: Parts, spec: TrainingSpec, output: Output) -> None:
        self.parts = parts
        self.spec = spec
        self.output = output
        self.group = parts.objective.group
        self._asked_to_stop = False
        # One process can compile the whole loop; a collective cannot be inside XLA.
        self._advance = tf.function(self._steps, jit_compile=self.group.size == 1, autograph=False)
        self._residual = tf.function(parts.objective.equation_error, jit_compile=True, autograph=False)
        self._renew = tf.function(self._renewed_weights, autograph=False)

    def fresh_state(self) -> TrainState:
        """Return the state before the first step; the same on every rank."""
        objective = self.parts.objective
        theta = tf.constant(objective.initial(self.parts.seed))
        weights = tf.constant(self.parts.weighting.initial(objective.terms), objective.dtype)
        return TrainState(0, theta, self.parts.optimizer.init(theta), weights)

    def fit(self, state: TrainState) -> Outcome:
        """Train from `state` until the steps are done, a target is met or somebody stops the run."""
        recent = _Recent(np.full(len(self.parts.objective.terms), math.nan))
        previous = self._listen()
        started = time.monotonic() - state.seconds
        batch: Batch = self.parts.objective.batch(self._round(state.step), state.selection)
        status, reason = "completed", f"{self.spec.steps} steps done"
        try:
            while state.step < self.spec.steps:
                state, flags = self._call(state, batch, recent, started)
                if not math.isfinite(recent.loss):
                    status, reason = "diverged", f"the loss is {recent.loss} at step {state.step}"
                    break
                state, batch, ending = self._between(state, batch, recent, flags)
                if ending:
                    status, reason = ending
                    break
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        if status != "diverged":
            self._finish(state, recent)
        seconds_per_step = recent.all_seconds / recent.all_steps if recent.all_steps else math.nan
        return Outcome(status, reason, state, recent.loss, recent.errors or {}, seconds_per_step)

    def _steps(
        self,
        theta: tf.Tensor,
        optimizer: dict[str, tf.Tensor],
        batch: Batch,
        weights: tf.Tensor,
        count: tf.Tensor,
        flags: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        """Do up to `count` steps; stop early where the loss is no number. Flags [2] are summed over ranks."""
        bound = BoundObjective(self.parts.objective, batch, weights)
        zero = tf.zeros([], theta.dtype)
        facts = {name: zero for name in self.parts.optimizer.facts}

        def body(i, theta, optimizer, loss, losses, facts):  # type: ignore[no-untyped-def]
            theta, optimizer, at, facts = self.parts.optimizer.step(bound, theta, optimizer)
            return i + 1, theta, optimizer, at.loss, at.losses, facts

        def goes_on(i, theta, optimizer, loss, losses, facts):  # type: ignore[no-untyped-def]
            return (i < count) & tf.math.is_finite(loss)

        state = (tf.zeros([], tf.int32), theta, optimizer, zero, tf.zeros_like(weights), facts)
        # Iterations in parallel would put several collectives of one name in flight.
        done, theta, optimizer, loss, losses, facts = tf.while_loop(
            goes_on, body, state, parallel_iterations=1
        )
        (flags,) = self.group.sum([flags], "flags")
        return theta, optimizer, done, loss, losses, facts, flags

    def _call(
        self, state: TrainState, batch: Batch, recent: _Recent, started: float
    ) -> tuple[TrainState, np.ndarray]:
        """Do the steps up to the next event in one compiled call."""
        late = (
            self.spec.max_seconds is not None
            and self.group.rank == 0
            and state.seconds >= self.spec.max_seconds
        )
        flags = tf.constant([float(self._asked_to_stop), float(late)], tf.float32)
        count = tf.constant(self._until_event(state.step), tf.int32)
        before = time.monotonic()
        theta, optimizer, done, loss, losses, facts, flags = self._advance(
            state.theta, state.optimizer, batch, state.weights, count, flags
        )
        recent.loss, recent.losses = float(loss), losses.numpy()
        now = time.monotonic()
        recent.facts = {name: float(value) for name, value in facts.items()}
        if recent.all_steps or state.step > 0 or self._compiled:
            recent.steps += int(done)
            recent.seconds += now - before
            recent.all_steps += int(done)
            recent.all_seconds += now - before
        self._compiled = True
        state = replace(
            state,
            step=state.step + int(done),
            theta=theta,
            optimizer=optimizer,
            seconds=now - started,
        )
        return state, flags.numpy()

    _compiled = False

    def _until_event(self, step: int) -> int:
        """Return the number of steps to the next thing that is due."""
        spec = self.spec
        periods = [spec.steps_per_call, spec.log_every, spec.checkpoint_every]
        periods += [spec.evaluate_every] if self.parts.evaluator else []
        periods += [
            p for p in (self.parts.objective.problem.period, self.parts.weighting.every) if p
        ]
        return min(spec.steps - step, *(period - step % period for period in periods))

    def _between(
        self, state: TrainState, batch: Batch, recent: _Recent, flags: np.ndarray
    ) -> tuple[TrainState, Batch, tuple[str, str] | None]:
        """Do what is due after `state.step` steps; return why the run must end, if it must."""
        spec, due = self.spec, lambda period: bool(period) and state.step % period == 0
        if recent.loss < state.lowest_loss * (
            1 - (spec.early_stopping.minimum_change if spec.early_stopping else 0)
        ):
            state = replace(state, lowest_loss=recent.loss, lowest_step=state.step)
        evaluated = self.parts.evaluator is not None and due(spec.evaluate_every)
        if evaluated:
            recent.errors = self.parts.evaluator(state.theta)  # type: ignore[misc]
        if evaluated or due(spec.log_every):
            self._log(state, recent)
        if due(self.parts.weighting.every):
            state = replace(
                state,
                weights=self._renew(state.theta, batch, state.weights, tf.constant(state.step)),
            )
        if due(self.parts.objective.problem.period):
            state, batch = self._resampled(state)
        state = self._save(state, recent, evaluated, due(spec.checkpoint_every))
        return state, batch, self._ending(state, recent, flags)

    def _ending(
        self, state: TrainState, recent: _Recent, flags: np.ndarray
    ) -> tuple[str, str] | None:
        spec, worst = self.spec, _worst(recent.errors)
        if flags[0] > 0:
            return "interrupted", "somebody asked the run to stop"
        if flags[1] > 0:
            return "completed", f"{spec.max_seconds} seconds are over"
        if (
            spec.stop_at
            and spec.stop_at.relative_l2 is not None
            and worst <= spec.stop_at.relative_l2
        ):
            return "completed", f"relative L2 error {worst:.3e} reached"
        if spec.stop_at and spec.stop_at.loss is not None and recent.loss <= spec.stop_at.loss:
            return "completed", f"loss {recent.loss:.3e} reached"
        if spec.early_stopping and state.step - state.lowest_step >= spec.early_stopping.patience:
            return "completed", f"no lower loss since step {state.lowest_step}"
        return None

    def _log(self, state: TrainState, recent: _Recent) -> None:
        """Write a row of metrics and move the progress bar."""
        objective = self.parts.objective
        rate = objective.problem.points / recent.seconds_per_step if recent.steps else math.nan
        row = {"step": state.step, "seconds": state.seconds, "loss/total": recent.loss}
        row |= {
            f"loss/{name}": float(loss)
            for name, loss in zip(objective.terms, recent.losses, strict=True)
        }
        row |= recent.facts or {}
        row |= {f"relative_l2/{name}": error for name, error in (recent.errors or {}).items()}
        row |= {"seconds_per_step": recent.seconds_per_step, "points_per_second": rate}
        row |= {f"unknown/{name}": float(v) for name, v in objective.unknowns(state.theta).items()}
        if self.parts.weighting.every:
            row |= {
                f"weight/{n}": float(w)
                for n, w in zip(objective.terms, state.weights.numpy(), strict=True)
            }
        self.output.history.append(row)
        worst = _worst(recent.errors)
        self.output.progress.update(
            state.step, recent.loss, worst if math.isfinite(worst) else None, rate
        )
        recent.steps, recent.seconds = 0, 0.0

    def _save(self, state: TrainState, recent: _Recent, evaluated: bool, due: bool) -> TrainState:
        """Write a checkpoint where one is due, or where the error is the best so far."""
        measure = _worst(recent.errors) if self.parts.evaluator else recent.loss
        better = (evaluated or (due and self.parts.evaluator is None)) and measure < state.best
        if better:
            state = replace(state, best=measure, best_step=state.step)
        if due or better:
            self.output.history.flush()
            self.output.checkpoints.save(state, best=better)
        return state

    def _finish(self, state: TrainState, recent: _Recent) -> None:
        """Evaluate, log and save where the last step was no multiple of the periods."""
        if self.parts.evaluator and (
            recent.errors is None or state.step % self.spec.evaluate_every
        ):
            recent.errors = self.parts.evaluator(state.theta)
        if state.step % self.spec.log_every and state.step % self.spec.evaluate_every:
            self._log(state, recent)
        self._save(state, recent, True, True)

    def _round(self, step: int) -> int:
        every = self.parts.objective.problem.period
        return step // every if every else 0

    def _resampled(self, state: TrainState) -> tuple[TrainState, Batch]:
        """Draw the points of the round that starts now; adaptive ones from global residuals."""
        objective, round_ = self.parts.objective, self._round(state.step)
        adaptive, block = objective.problem.adaptive, objective.problem.blocks[0]
        if adaptive is None:
            return state, objective.batch(round_)
        start, stop = self.group.shard(block.source.candidates)
        data = objective.tensors(block.source.candidate_items(round_, start, stop))
        sizes = self._residual(state.theta, data).numpy().astype(np.float64)
        sizes = self.group.gather_numpy(sizes, "residuals")
        state = replace(state, selection=adaptive.select(sizes, block.count, (round_, 0)))
        return state, objective.batch(round_, state.selection)

    def _renewed_weights(
        self, theta: tf.Tensor, batch: Batch, weights: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        return self.parts.weighting.renewed(
            self.parts.objective, theta, batch, weights, step, self.parts.seed
        )

    def _listen(self) -> dict[int, Callable[..., object] | int | None]:
        """Turn the signals of Ctrl-C and of launchers into a wish that all ranks hear of."""

        def stop(number: int, frame: FrameType | None) -> None:
            self._asked_to_stop = True

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
        return {number: signal.signal(number, stop) for number in numbers}


def _worst(errors: dict[str, float] | None) -> float:
    """Return the largest error; infinite where none is known."""
    known = [error for error in (errors or {}).values() if math.isfinite(error)]
    return max(known) if known else math.inf
