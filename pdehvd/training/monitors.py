"""Numbers of interest that a run follows where it evaluates its errors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from pdehvd.training.state import TrainState


class Monitors(ABC):
    """Measures named numbers of a state; the same on every rank.

    `expected` holds the values that are known, by name.
    """

    expected: Mapping[str, float]

    @abstractmethod
    def __call__(self, state: TrainState) -> dict[str, float]:
        """Return the values of a state by name; every rank calls it."""


def deviation(value: float, expected: float) -> float:
    """Return |value - expected| / |expected|; where 0 is expected, |value|.

    >>> deviation(3.3, 3.0), deviation(-0.2, 0.0)
    (0.0999..., 0.2)
    """
    scale = abs(expected) or 1.0
    return abs(value - expected) / scale


def in_words(name: str, value: float, expected: float | None) -> str:
    """Return a line about a monitor at the end of a run.

    >>> in_words("drag", 3.3, 3.0)
    'monitor drag = 3.3 (expected 3, relative error 1.000e-01)'
    """
    if expected is None:
        return f"monitor {name} = {value:.8g}"
    kind = "relative error" if expected else "error"
    away = deviation(value, expected)
    return f"monitor {name} = {value:.8g} (expected {expected:.8g}, {kind} {away:.3e})"
