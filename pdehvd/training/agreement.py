"""Compares bit for bit the numbers that must be the same on every rank."""

from __future__ import annotations

from typing import Generic

import numpy as np

from pdehvd.comm.agreement import differing, gather_texts
from pdehvd.errors import DisagreementError
from pdehvd.objectives.base import Batch, Objective
from pdehvd.training.state import TrainState

_NAMED = 5


class Agreement(Generic[Batch]):
    """Stops a run whose ranks no longer hold the same parameters, and says which one and where."""

    def __init__(self, objective: Objective[Batch]) -> None:
        self._objective = objective
        self._group = objective.group

    def check(self, state: TrainState) -> None:
        """Raise `DisagreementError` on all ranks where parameters, weights or averages differ."""
        if self._group.size == 1:
            return
        tensors = self._tensors(state)
        found = differing(self._group, [t.tobytes() for t in tensors.values()], "agreement")
        if found:
            raise DisagreementError(self._described(state.step, tensors, found))

    def _tensors(self, state: TrainState) -> dict[str, np.ndarray]:
        """Return what every rank holds whole, by name."""
        theta = state.theta.numpy()
        tensors: dict[str, np.ndarray] = {}
        start = 0
        for name, shape in self._objective.layout:
            stop = start + int(np.prod(shape))
            tensors[name] = theta[start:stop].reshape(shape)
            start = stop
        if start < theta.size:
            names = ", ".join(self._objective.unknowns(state.theta)) or "other parameters"
            tensors[f"unknown {names}"] = theta[start:]
        tensors["weights of the loss"] = state.weights.numpy()
        tensors["moving averages"] = state.moments.numpy()
        if state.selection is not None:
            tensors["chosen points"] = state.selection
        return tensors

    def _described(
        self, step: int, tensors: dict[str, np.ndarray], found: dict[int, list[int]]
    ) -> str:
        """Return a sentence about each rank that differs; every rank calls it."""
        right = next(rank for rank in range(self._group.size) if rank not in found)
        own = found.get(self._group.rank, [])
        everywhere = sorted({part for parts in found.values() for part in parts})
        sentence = ""
        for part in everywhere:
            name, values = list(tensors.items())[part]
            rows = self._group.gather_numpy(values.reshape(1, -1), f"agreement.{part}")
            if part in own and not sentence:
                sentence = f"{name} ({_difference(rows[right], rows[self._group.rank])})"
        others = [list(tensors)[part] for part in own[1:]]
        if others:
            more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
            sentence += f", {', '.join(others[:_NAMED])}{more}"
        said = gather_texts(self._group, sentence, "agreement.sentences")
        lines = [f"rank {rank} differs from rank {right} in {said[rank]}" for rank in found]
        return "\n".join([f"the ranks do not hold the same numbers after step {step}:", *lines])


def _difference(right: np.ndarray, own: np.ndarray) -> str:
    """Return how many entries differ, and by how much."""
    count = int(np.sum(right != own))
    largest = np.max(np.abs(right.astype(float) - own.astype(float)))
    return f"{count} of {right.size} entries, by up to {largest:.1e}"
