"""Errors against the reference while a run trains, divided over the ranks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pdehvd.objectives.objective import PDEObjective
from pdehvd.problems.evaluation import error_sums, evaluation_points, relative_l2, time_slices
from pdehvd.training.state import TrainState

Solution = Callable[[np.ndarray], dict[str, np.ndarray]]


class Measured(NamedTuple):
    """The relative L2 error by field, and other measures by the names that metrics give them."""

    relative_l2: dict[str, float]
    others: dict[str, float]


class Evaluator(ABC):
    """Measures how far a state is from the reference; the same numbers on every rank."""

    @abstractmethod
    def __call__(self, state: TrainState) -> Measured:
        """Return the errors of a state; every rank calls it."""


class PointEvaluator(Evaluator):
    """Relative L2 error of each field that the reference knows, from sums over all ranks."""

    def __init__(
        self,
        objective: PDEObjective,
        reference: Solution,
        free: Sequence[str] = (),
        count: int = 10_000,
    ) -> None:
        domain = objective.problem.domain
        points = evaluation_points(domain, count)
        slices, self._slice_count = time_slices(domain, points)
        start, stop = objective.group.shard(len(points))
        self._slices = slices[start:stop]
        self._truth = reference(points[start:stop])
        self._x = tf.constant(points[start:stop], objective.dtype)
        self._group = objective.group
        self._fields = objective.problem.fields
        self._free = frozenset(free)
        self._solution = tf.function(objective.solution, jit_compile=True, autograph=False)

    def __call__(self, state: TrainState) -> Measured:
        values = self._solution(state.theta, self._x).numpy().astype(np.float64)
        sums = {
            field: error_sums(
                values[:, self._fields.index(field)], truth, self._slices, self._slice_count
            )
            for field, truth in self._truth.items()
        }
        total = self._group.sum_numpy(np.stack(list(sums.values())), "evaluation")
        errors = {field: relative_l2(total[i], field in self._free) for i, field in enumerate(sums)}
        return Measured(errors, {})
