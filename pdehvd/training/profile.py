"""The breakdown of a step: computing, communication, waiting for other processes."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from pdehvd.objectives.base import Batch
from pdehvd.training.state import TrainState
from pdehvd.training.stepper import Called, Parts, Stepper


class Split(NamedTuple):
    """Seconds of a step. `waiting` is the mean over ranks; `straggler` the slowest rank's
    computing over the mean of all."""

    step: float
    computing: float
    communication: float
    waiting: float
    straggler: float


class _Call(NamedTuple):
    steps: int
    seconds: float
    collectives: np.ndarray


class ProfiledStepper(Stepper[Batch]):
    """A stepper that remembers how long its calls and the collectives inside them took.

    Its group must time itself.
    """

    def __init__(self, parts: Parts[Batch]) -> None:
        super().__init__(parts)
        self._calls_made: list[_Call] = []

    def advance(self, state: TrainState, batch: Batch, count: int, flags: list[bool]) -> Called:
        self.group.taken()
        before = time.perf_counter()
        called = super().advance(state, batch, count, flags)
        seconds = time.perf_counter() - before
        self._calls_made.append(_Call(called.done, seconds, self.group.taken()))
        return called

    def facts(self, memory: float) -> dict[str, object]:
        """Return the split of a step and the memory of each process; every rank calls it.

        The first call, which compiles, is left out; numbers are medians over the others.
        """
        calls = [call for call in self._calls_made[1:] if call.steps]
        seconds = self._gathered(np.array([call.seconds for call in calls]), "profile.seconds")
        splits = []
        for index, call in enumerate(calls):
            taken = self._gathered(call.collectives, f"profile.{len(call.collectives)}")
            splits.append(split_step(seconds[:, index], taken, call.steps))
        medians = np.median(np.array(splits), axis=0) if splits else np.full(5, np.nan)
        memories = self._gathered(np.array([memory]), "profile.memory")[:, 0]
        return {
            **Split(*map(float, medians))._asdict(),
            "calls": [one.step for one in splits],
            "memory_mib": [float(one) for one in memories],
        }

    def _gathered(self, numbers: np.ndarray, name: str) -> np.ndarray:
        """Return the numbers of all ranks, a row for each."""
        return self.group.gather_numpy(numbers, name).reshape(self.group.size, -1)


def split_step(seconds: np.ndarray, collectives: np.ndarray, steps: int) -> Split:
    """Return the split of a step from a call's seconds [ranks] and its collectives [ranks, C].

    The last rank to arrive at a collective waits for no other, so the shortest time of all ranks in
    it is its communication, and what others spend beyond that is waiting. The rest is computing.
    """
    shortest = collectives.min(axis=0, initial=np.inf).sum() if collectives.size else 0.0
    inside = collectives.sum(axis=1) if collectives.size else np.zeros(len(seconds))
    computing = np.maximum(seconds - inside, 0.0)
    mean = computing.mean()
    return Split(
        float(seconds.mean() / steps),
        float(mean / steps),
        float(shortest / steps),
        float((inside.mean() - shortest) / steps),
        float(computing.max() / mean) if mean > 0 else 1.0,
    )
