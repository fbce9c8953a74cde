"""Errors against the reference while a run trains, divided over the ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from pdehvd.objectives.objective import PDEObjective
from pdehvd.problems.evaluation import error_sums, evaluation_points, relative_l2, time_slices

Solution = Callable[[np.ndarray], dict[str, np.ndarray]]


class Evaluator:
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

    def __call__(self, theta: tf.Tensor) -> dict[str, float]:
        """Return the relative L2 error by field, the same on every rank."""
        values = self._solution(theta, self._x).numpy().astype(np.float64)
        sums = {
            field: error_sums(
                values[:, self._fields.index(field)], truth, self._slices, self._slice_count
            )
            for field, truth in self._truth.items()
        }
        total = self._group.sum_numpy(np.stack(list(sums.values())), "evaluation")
        return {field: relative_l2(total[i], field in self._free) for i, field in enumerate(sums)}
