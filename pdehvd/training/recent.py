"""What a trainer remembers between its calls: the last numbers, and the time of steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Clock:
    """Time of steps; the first call is left out, for it compiles."""

    steps: int = 0
    seconds: float = 0.0
    points: int = 0
    calls: int = 0

    def add(self, steps: int, points: int, seconds: float) -> None:
        self.calls += 1
        if self.calls > 1:
            self.steps += steps
            self.points += points
            self.seconds += seconds

    @property
    def per_step(self) -> float:
        return self.seconds / self.steps if self.steps else math.nan

    @property
    def points_per_second(self) -> float:
        return self.points / self.seconds if self.seconds > 0 else math.nan


@dataclass
class Recent:
    """The last numbers seen."""

    losses: np.ndarray = field(default_factory=lambda: np.zeros(0))
    loss: float = math.nan
    facts: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    measures: dict[str, float] = field(default_factory=dict)
    logged: int = -1
    evaluated: int = -1
    monitors: dict[str, float] = field(default_factory=dict)
    monitored: int = -1
    since_log: Clock = field(default_factory=Clock)
    total: Clock = field(default_factory=Clock)

    @property
    def worst(self) -> float:
        """The largest error; infinite where none is known."""
        known = [error for error in self.errors.values() if math.isfinite(error)]
        return max(known) if known else math.inf
