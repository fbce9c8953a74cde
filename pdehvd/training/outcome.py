"""How a run ended."""

from __future__ import annotations

from dataclasses import dataclass

from pdehvd.training.recent import Clock
from pdehvd.training.state import TrainState


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `completed`, `stalled`, `diverged` or `interrupted`, and why."""

    status: str
    reason: str
    state: TrainState
    loss: float
    errors: dict[str, float]
    clock: Clock
