"""How a run ended."""

from __future__ import annotations

from dataclasses import dataclass

from pdehvd.training.recent import Clock
from pdehvd.training.state import TrainState


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `completed`, `stalled`, `diverged` or `interrupted`, and why.

    Arguments:
        status: one of these
        reason: a sentence
        state: the last state
        loss: the last global loss
        losses: of each term at the last step, without its weight; empty where there was no step
        errors: relative L2 errors by field
        monitors: the last values of monitors by name
        clock: the seconds it took
    """

    status: str
    reason: str
    state: TrainState
    loss: float
    losses: dict[str, float]
    errors: dict[str, float]
    monitors: dict[str, float]
    clock: Clock
