"""The trainer: repeats steps, and does what is due between them."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Generic

import tensorflow as tf

from pdehvd.errors import counted
from pdehvd.objectives.base import Batch
from pdehvd.training.agreement import Agreement
from pdehvd.training.outcome import Outcome
from pdehvd.training.recent import Recent
from pdehvd.training.rows import Output, Rows, named, show
from pdehvd.training.snapshot import Snapshot
from pdehvd.training.spec import TrainingSpec
from pdehvd.training.state import OPTIMIZER, TrainState, check_like
from pdehvd.training.stepper import Called, Parts, Stepper
from pdehvd.training.stored import StoredState

# What answers a signal, as `signal.signal` gives it.
Handler = Callable[[int, FrameType | None], object] | int | None

Ending = tuple[str, str]


class Trainer(Generic[Batch]):
    """Runs an optimizer on an objective from one state to the end of the plan.

    Decisions to stop come from global numbers, so all ranks take them alike. `beat` is called after
    every call of several steps how many are done.
    """

    def __init__(
        self,
        parts: Parts[Batch],
        spec: TrainingSpec,
        beat: Callable[[int], None] | None = None,
        stepper: Stepper[Batch] | None = None,
    ) -> None:
        self.parts = parts
        self.spec = spec
        self.stepper = stepper or Stepper(parts)
        self._rows = Rows(parts, spec, self.stepper)
        self._beat = beat or (lambda step: None)
        self._agreement = Agreement(parts.objective)
        self._asked_to_stop = False

    def fresh_state(self) -> TrainState:
        """Return the state before the first step; the same on every rank."""
        objective = self.parts.objective
        theta = tf.constant(objective.initial(self.parts.seed))
        weights = tf.constant(self.parts.weighting.initial(objective.terms), objective.dtype)
        moments = tf.constant(objective.initial_moments())
        return TrainState(0, theta, self.stepper.phase(0).fresh(theta), weights, moments)

    def snapshot(self, state: TrainState) -> Snapshot:
        """Return what a checkpoint keeps of a state; every rank has its part."""
        return state.snapshot(self.stepper.phase(state.step).kept(state.optimizer))

    def restored(self, stored: StoredState) -> TrainState:
        """Return this rank's state from a checkpoint; every rank calls it.

        Raises `ConfigError` where this run cannot go on from there.
        """
        phase, fresh = self.stepper.phase(stored.counters.step), self.fresh_state()
        check_like(stored, fresh.snapshot(phase.kept(phase.fresh(fresh.theta))))
        layout = self.parts.objective.layout
        return TrainState.of(stored, phase.restored(stored.below(OPTIMIZER), layout))

    def fit(self, state: TrainState, output: Output) -> Outcome:
        """Train until the steps are done, a target is met or a stop is requested."""
        recent = Recent()
        previous = self._listen()
        started = time.monotonic() - state.seconds
        batch = self.stepper.batch(state)
        ending: Ending | None = None
        if state.step == 0:
            self._rows.first(state, batch, recent, output)
        try:
            while ending is None and state.step < self.spec.steps:
                before = state
                count = self._until_event(state.step)
                for callback in output.callbacks:
                    callback.before_steps(state, count)
                state, called = self._call(state, batch, count, recent, started)
                for callback in output.callbacks:
                    callback.after_steps(state)
                self._beat(state.step)
                if called.fault is None:
                    show(state, recent, output)
                    state, batch = self._due(state, batch, recent, output)
                    ending = self._ending(state, recent, called)
                else:
                    ending = "diverged", self._cause(before, state.step, called)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        status, reason = ending or ("completed", f"{counted(self.spec.steps, 'step')} done")
        if status != "diverged":
            state = self._finish(state, recent, output)
        losses = named(self.parts.objective.terms, recent.losses)
        measured = recent.errors, recent.monitors
        return Outcome(status, reason, state, recent.loss, losses, *measured, recent.total)

    def _call(
        self, state: TrainState, batch: Batch, count: int, recent: Recent, started: float
    ) -> tuple[TrainState, Called]:
        """Do `count` steps in one compiled call."""
        late = self.spec.max_seconds is not None and state.seconds >= self.spec.max_seconds
        # Clocks differ between ranks: rank 0's decides.
        flags = [self._asked_to_stop, late and self.stepper.group.rank == 0]
        before = time.monotonic()
        called = self.stepper.advance(state, batch, count, flags)
        recent.loss, recent.losses = called.loss, called.losses
        recent.facts = called.facts
        now, done = time.monotonic(), called.done
        # No call goes beyond the steps with one batch, so all have as many points.
        points = done * self.parts.objective.points_at(state.step)
        recent.total.add(done, points, now - before)
        recent.since_log.add(done, points, now - before)
        state = replace(
            state,
            step=state.step + done,
            theta=called.theta,
            optimizer=called.optimizer,
            moments=called.moments,
            seconds=now - started,
        )
        return state, called

    def _cause(self, before: TrainState, step: int, called: Called) -> str:
        """Return what is not finite, and on rank 0 the term and a point that made it so."""
        good = math.isfinite(called.loss)
        what = "the gradient is not finite" if good else f"the loss is {called.loss}"
        text = f"{what} after {counted(step, 'step')}"
        if self.stepper.group.rank:
            return text
        whole = self.parts.objective.whole(self.stepper.round(before.step), before.selection)
        found = whole.where_not_finite(called.fault, before.moments)
        return f"{text}: {found}" if found else text

    def _until_event(self, step: int) -> int:
        """Return the number of steps to the next thing that is due."""
        spec = self.spec
        periods = [spec.steps_per_call, self._rows.period(step), spec.checkpoint_every]
        periods += [spec.evaluate_every] if self._measures else []
        verify = spec.verify_every if self.stepper.group.size > 1 else None
        periods += [p for p in (self._resampling, self.parts.weighting.every, verify) if p]
        # The first loss is logged by itself.
        end = min(spec.steps, self.stepper.phase(step).stop or spec.steps) if step else 1
        return min(end - step, *(period - step % period for period in periods))

    @property
    def _resampling(self) -> int | None:
        return self.parts.objective.period

    @property
    def _measures(self) -> bool:
        """Whether there is something to measure besides the loss."""
        return self.parts.evaluator is not None or self.parts.monitors is not None

    def _due(
        self, state: TrainState, batch: Batch, recent: Recent, output: Output
    ) -> tuple[TrainState, Batch]:
        """Do what is due after `state.step` steps: what is saved is then ready to go on."""

        def due(period: int | None) -> bool:
            return bool(period) and state.step % (period or 1) == 0

        if due(self.spec.verify_every):
            self._agreement.check(state)
        patience = self.spec.early_stopping
        if recent.loss < state.lowest_loss * (1 - (patience.minimum_change if patience else 0)):
            state = replace(state, lowest_loss=recent.loss, lowest_step=state.step)
        last = state.step >= self.spec.steps
        evaluated = self._measures and (last or due(self.spec.evaluate_every))
        if evaluated:
            self._evaluate(state, recent)
        if evaluated or self._rows.due(state.step):
            self._rows.append(state, recent, output)
        if due(self.parts.weighting.every):
            state = self.stepper.renewed(state, batch)
        if due(self._resampling):
            state = self.stepper.resampled(state)
            batch = self.stepper.batch(state)
        if state.step in self.stepper.starts:
            state = replace(state, optimizer=self.stepper.phase(state.step).fresh(state.theta))
        saving = due(self.spec.checkpoint_every)
        return self._save(state, recent, output, saving), batch

    def _ending(self, state: TrainState, recent: Recent, called: Called) -> Ending | None:
        """Return why the run must end now, if it must."""
        flags = called.flags
        spec, target, patience = self.spec, self.spec.stop_at, self.spec.early_stopping
        if flags[0] > 0:
            return "interrupted", "stop requested"
        if flags[1] > 0:
            return "completed", f"time limit of {spec.max_seconds} seconds reached"
        if target and target.relative_l2 is not None and recent.worst <= target.relative_l2:
            return "completed", f"relative L2 error {recent.worst:.3e} reached"
        if target and target.loss is not None and recent.loss <= target.loss:
            return "completed", f"loss {recent.loss:.3e} reached"
        if called.stalled:
            return "stalled", called.stalled
        if patience and state.step - state.lowest_step >= patience.patience:
            return "completed", f"no lower loss since step {state.lowest_step}"
        return None

    def _evaluate(self, state: TrainState, recent: Recent) -> None:
        if self.parts.evaluator is not None and recent.evaluated != state.step:
            measured = self.parts.evaluator(state)
            recent.errors, recent.measures = measured.relative_l2, measured.others
            recent.evaluated = state.step
        if self.parts.monitors is not None and recent.monitored != state.step:
            recent.monitors = self.parts.monitors(state)
            recent.monitored = state.step

    def _save(self, state: TrainState, recent: Recent, output: Output, due: bool) -> TrainState:
        """Write a checkpoint where one is due, or where the error is the best so far."""
        fresh = recent.evaluated == state.step or (due and self.parts.evaluator is None)
        measure = recent.worst if recent.errors else recent.loss
        better = fresh and measure < state.best
        if better:
            state = replace(state, best=measure, best_step=state.step)
        if due or better:
            output.history.flush()
            for callback in output.callbacks:
                callback.before_checkpoint(state)
            output.checkpoints.save(self.snapshot(state), best=better)
            for callback in output.callbacks:
                callback.after_checkpoint(state)
        return state

    def _finish(self, state: TrainState, recent: Recent, output: Output) -> TrainState:
        """Evaluate, log and save the last state, where that has not been done."""
        if self.spec.verify_every:
            self._agreement.check(state)
        self._evaluate(state, recent)
        if recent.losses.size:
            self._rows.append(state, recent, output)
        return self._save(state, recent, output, True)

    def _listen(self) -> dict[int, Handler]:
        """Turn the signals of Ctrl-C and of launchers into a stop request for all ranks."""

        def stop(number: int, frame: FrameType | None) -> None:
            self._asked_to_stop = True

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
        return {number: signal.signal(number, stop) for number in numbers}
