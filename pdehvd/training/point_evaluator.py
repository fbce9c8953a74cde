"""Errors of a network of coordinates against the reference while it trains."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pdehvd.objectives.objective import PDEObjective
from pdehvd.problems.evaluation import (
    constants,
    error_sums,
    evaluation_points,
    relative_l2,
    time_slices,
)
from pdehvd.reference.base import Reference
from pdehvd.training.evaluator import ErrorMeasures, Evaluator
from pdehvd.training.state import TrainState

Solution = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def compiled_solution(objective: PDEObjective) -> Solution:
    """Return the program by which errors are measured: theta and points [N, D] to outputs."""
    program: Solution = tf.function(objective.outputs, jit_compile=True, autograph=False)
    return program


class PointEvaluator(Evaluator[Reference]):
    """Relative L2 error of each field that the reference knows, from sums over all ranks.

    Points lie in pieces that an objective evaluates one by one, sums of pieces in global order.
    """

    def __init__(self, objective: PDEObjective, reference: Reference) -> None:
        domain = objective.problem.domain
        self.reference = reference
        points = evaluation_points(domain)
        slices, self._slice_count = time_slices(domain, points)
        index, real = objective.pieces(len(points))
        self._slices = slices[index]
        truth = [reference(points[own]) for own in index]
        self._known = list(truth[0])
        # [k, F, c]: pieces, fields, points.
        stacked = [[piece[field] for field in self._known] for piece in truth]
        shape = len(truth), len(self._known), -1 if self._known else index.shape[1]
        self._truth = np.where(real[:, None], np.reshape(stacked, shape), np.nan)
        self._free = np.isin(self._known, reference.up_to_constant)
        self._signless = np.isin(self._known, objective.problem.up_to_sign)
        self._x = tf.constant(points[index], objective.dtype)
        self._group = objective.group
        self._columns = [objective.problem.outputs.index(field) for field in self._known]
        self._solution = compiled_solution(objective)

    def __call__(self, state: TrainState) -> ErrorMeasures:
        if not self._known:
            return ErrorMeasures({}, {})
        pieces = [self._solution(state.theta, x).numpy() for x in tf.unstack(self._x)]
        values = np.stack(pieces).astype(np.float64)[..., self._columns].swapaxes(1, 2)
        if self._free.any():
            means = [constants(sums)[self._slices] for sums in self._sums(values)]
            values -= np.where(self._free[:, None], np.stack(means, axis=1), 0.0)
        errors = [relative_l2(sums) for sums in self._sums(values)]
        if self._signless.any():
            opposite = [relative_l2(sums) for sums in self._sums(-values)]
            errors = np.where(self._signless, np.minimum(errors, opposite), errors).tolist()
        return ErrorMeasures(dict(zip(self._known, errors, strict=True)), {})

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums of errors of values [k, F, c] over all pieces of all ranks, [F, S, 4]."""
        count = self._slice_count
        sums = [
            [error_sums(v, t, slices, count) for v, t in zip(value, truth, strict=True)]
            for value, truth, slices in zip(values, self._truth, self._slices, strict=True)
        ]
        total: np.ndarray = self._group.gather_numpy(np.array(sums), "evaluation").sum(0)
        return total
