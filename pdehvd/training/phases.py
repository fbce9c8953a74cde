"""The phases of a training: one optimizer after another, each with a state of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from pdehvd.models.parametrized import Layout
from pdehvd.numerics.divided import Arrays, Stored
from pdehvd.objectives.protocols import AllAt
from pdehvd.optimizers.base import HostOptimizer, Optimizer, State


@dataclass(frozen=True)
class Phase:
    """One optimizer and the step after its last; None: to the end of the run."""

    optimizer: Optimizer | HostOptimizer[AllAt]
    stop: int | None = None

    def fresh(self, theta: tf.Tensor) -> State:
        """Return the optimizer's state before its first step."""
        if isinstance(self.optimizer, HostOptimizer):
            return self.optimizer.init(theta.numpy())
        return self.optimizer.init(theta)

    def kept(self, state: State) -> Arrays:
        """Return what a checkpoint keeps of the state; every rank has its part."""
        if isinstance(self.optimizer, HostOptimizer):
            return self.optimizer.kept(state)
        return {name: value.numpy() for name, value in state.items()}

    def restored(self, stored: Stored, layout: Layout) -> State:
        """Return this rank's state from a checkpoint; every rank calls it."""
        if isinstance(self.optimizer, HostOptimizer):
            return self.optimizer.restored(stored, layout)
        return {name: tf.constant(stored.whole(name)) for name in stored.names}


def phase_at(phases: Sequence[Phase], step: int) -> Phase:
    """Return the phase that does the step after `step` steps; the last one at the end."""
    for phase in phases:
        if phase.stop is None or step < phase.stop:
            return phase
    return phases[-1]


def span_at(phases: Sequence[Phase], step: int, steps: int) -> range:
    """Return the steps of the phase that does the step after `step` steps, of `steps` in all."""
    start = 0
    for phase in phases:
        stop = steps if phase.stop is None else min(phase.stop, steps)
        if step < stop:
            break
        start = min(stop, step)
    return range(start, max(stop, start))
