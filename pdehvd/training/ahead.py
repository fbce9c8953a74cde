"""Batches drawn ahead: while a step runs, a thread of its own draws the next round's batch."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic

import numpy as np

from pdehvd.objectives.base import Batch, Objective


class Ahead(Generic[Batch]):
    """Returns an objective's batches, and prepares the next one in advance.

    Not where a batch depends on what was learned: it is drawn when it is needed.
    """

    def __init__(self, objective: Objective[Batch]) -> None:
        self._objective = objective
        self._drawer = ThreadPoolExecutor(1, "batches") if objective.period else None
        self._next: tuple[int, Future[Batch]] | None = None

    def batch(self, round_: int, selection: np.ndarray | None) -> Batch:
        """Return this rank's shard of a round's batch."""
        if self._drawer is None or selection is not None:
            return self._objective.batch(round_, selection)
        ready, self._next = self._next, None
        if ready is not None and ready[0] == round_:
            batch = ready[1].result()
        else:
            batch = self._objective.batch(round_)
        self._next = round_ + 1, self._drawer.submit(self._objective.batch, round_ + 1)
        return batch
