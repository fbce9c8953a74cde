"""Errors of a network of coordinates against the reference while it trains."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from pdehvd.objectives.objective import PDEObjective
from pdehvd.problems.evaluation import error_sums, evaluation_points, relative_l2, time_slices
from pdehvd.reference.base import Reference
from pdehvd.training.evaluator import Evaluator, Measured
from pdehvd.training.state import TrainState


class PointEvaluator(Evaluator[Reference]):
    """Relative L2 error of each field that the reference knows, from sums over all ranks.

    Points lie in pieces that an objective evaluates one by one, sums of pieces in global order.
    """

    def __init__(self, objective: PDEObjective, reference: Reference, count: int = 10_000) -> None:
        domain = objective.problem.domain
        self.reference = reference
        points = evaluation_points(domain, count)
        slices, self._slice_count = time_slices(domain, points)
        index, real = objective.pieces(len(points))
        self._slices = slices[index]
        truth = [reference(points[own]) for own in index]
        self._truth = {
            field: np.where(real, np.stack([piece[field] for piece in truth]), np.nan)
            for field in truth[0]
        }
        self._x = tf.constant(points[index], objective.dtype)
        self._group = objective.group
        self._fields = objective.problem.fields
        self._free = frozenset(reference.up_to_constant)
        self._solution = tf.function(objective.solution, jit_compile=True, autograph=False)

    def __call__(self, state: TrainState) -> Measured:
        sums = np.stack([self._sums(state.theta, piece) for piece in range(len(self._slices))])
        total = self._group.gather_numpy(sums, "evaluation").sum(0)
        errors = {
            field: relative_l2(total[i], field in self._free) for i, field in enumerate(self._truth)
        }
        return Measured(errors, {})

    def _sums(self, theta: tf.Tensor, piece: int) -> np.ndarray:
        """Return the sums of errors of a piece's points, [F, S, 4]."""
        values = self._solution(theta, self._x[piece]).numpy().astype(np.float64)
        slices, count = self._slices[piece], self._slice_count
        columns = {field: values[:, self._fields.index(field)] for field in self._truth}
        return np.stack(
            [
                error_sums(columns[f], truth[piece], slices, count)
                for f, truth in self._truth.items()
            ]
        )
