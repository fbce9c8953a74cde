"""The rows of metrics: when there is one, and what it holds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np

from pdehvd.objectives.base import Batch
from pdehvd.training.callback import Callback
from pdehvd.training.checkpoint import Checkpoints
from pdehvd.training.history import History
from pdehvd.training.phases import span_at
from pdehvd.training.progress import Progress
from pdehvd.training.recent import Clock, Recent
from pdehvd.training.spec import TrainingSpec
from pdehvd.training.state import TrainState
from pdehvd.training.stepper import Parts, Stepper


@dataclass(frozen=True)
class Output:
    """Where a trainer writes, silent on every rank but 0, and the callbacks of the run."""

    history: History
    progress: Progress
    checkpoints: Checkpoints
    callbacks: Sequence[Callback] = ()

    def log(self, row: Mapping[str, float]) -> None:
        """Write a row of metrics."""
        for callback in self.callbacks:
            callback.on_log(row)
        self.history.append(row)


class Rows(Generic[Batch]):
    """Writes rows of metrics: of the first step, of a phase's last, and of some between.

    Which ones follows from the numbers of steps alone: a run that resumes has the same.
    """

    def __init__(self, parts: Parts[Batch], spec: TrainingSpec, stepper: Stepper[Batch]) -> None:
        self._parts = parts
        self._spec = spec
        self._stepper = stepper

    def period(self, step: int) -> int:
        """Return the steps between lines of metrics in the phase that does the next step."""
        return self._spec.log_period(len(span_at(self._parts.phases, step, self._spec.steps)))

    def due(self, step: int) -> bool:
        """Return whether there is a line after `step` steps: the first, a phase's last, others."""
        return step == 1 or step in self._stepper.starts or step % self.period(step - 1) == 0

    def first(self, state: TrainState, batch: Batch, recent: Recent, output: Output) -> None:
        """Write the loss before the first step as row 0, unless that of step 1 will hold it."""
        found = self._stepper.before_first(state, batch)
        if found is not None:
            row: dict[str, float] = {"step": 0, "seconds": 0.0, "loss/total": found[0]}
            losses = named(self._parts.objective.terms, found[1])
            output.log(row | _columns("loss", losses))
            recent.logged = 0

    def append(self, state: TrainState, recent: Recent, output: Output) -> None:
        """Write a row of metrics, once for every step."""
        if recent.logged == state.step:
            return
        objective, pace = self._parts.objective, recent.since_log.per_step
        rate = recent.since_log.points_per_second
        row: dict[str, float] = {"step": state.step, "seconds": state.seconds}
        row["loss/total"] = recent.loss
        row |= _columns("loss", named(objective.terms, recent.losses))
        row |= recent.facts
        if recent.evaluated == state.step:
            row |= _columns("relative_l2", recent.errors)
            row |= recent.measures
        if recent.monitored == state.step:
            row |= _columns("monitor", recent.monitors)
        row |= {"seconds_per_step": pace, "points_per_second": rate}
        unknowns = objective.unknowns(state.theta)
        row |= _columns("unknown", {name: float(value) for name, value in unknowns.items()})
        if self._parts.weighting.every:
            row |= _columns("weight", named(objective.terms, state.weights.numpy()))
        output.log(row)
        recent.logged = state.step
        recent.since_log = Clock(calls=1)


def show(state: TrainState, recent: Recent, output: Output) -> None:
    """Move the progress bar."""
    error = recent.worst if math.isfinite(recent.worst) else None
    rate = recent.total.points_per_second
    output.progress.update(state.step, recent.loss, error, rate, recent.monitors)


def named(terms: tuple[str, ...], values: np.ndarray) -> dict[str, float]:
    """Return the values [T] by term; nothing where there are none yet."""
    return {n: float(v) for n, v in zip(terms, values, strict=True)} if values.size else {}


def _columns(prefix: str, values: Mapping[str, float]) -> dict[str, float]:
    return {f"{prefix}/{name}": value for name, value in values.items()}
