"""The phases of a training: one optimizer after another, each with a state of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from pdehvd.objectives.asked import AllAt
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

    def gathered(self, state: State) -> dict[str, tf.Tensor]:
        """Return the state of all ranks for a checkpoint; every rank calls it."""
        if isinstance(self.optimizer, HostOptimizer):
            return {n: tf.constant(a) for n, a in self.optimizer.gathered(state).items()}
        return state

    def scattered(self, state: dict[str, tf.Tensor]) -> State:
        """Return this rank's state from that of a checkpoint."""
        if isinstance(self.optimizer, HostOptimizer):
            arrays = {name: np.array(value) for name, value in state.items()}
            return self.optimizer.scattered(arrays)
        return state


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
