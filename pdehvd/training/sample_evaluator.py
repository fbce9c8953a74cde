"""Errors on held-out samples while a generative model trains, divided over the ranks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from pdehvd.numerics import stencils
from pdehvd.objectives.batches import Samples
from pdehvd.objectives.generative import GenerativeObjective
from pdehvd.problems.family import HELD_OUT
from pdehvd.reference.on_grid import GridReference
from pdehvd.training.evaluator import ErrorMeasures, Evaluator
from pdehvd.training.state import TrainState

# Columns of the table of a set of samples.
L2, H1, GAP = range(3)


class SampleEvaluator(Evaluator[GridReference]):
    """Relative L2 and H1 errors and energy gaps of held-out samples, by moving averages."""

    def __init__(self, objective: GenerativeObjective, reference: GridReference) -> None:
        problem = objective.problem
        self.reference = reference
        self._objective = objective
        self._resolution = problem.resolution
        self._chunks = []
        for numbers in objective.held_out_chunks():
            sample = problem.draw(numbers, self._resolution, HELD_OUT)
            truth = [
                reference.stored({n: f[i] for n, f in sample.fields.items()}, self._resolution)
                for i in range(len(numbers))
            ]
            self._chunks.append(
                (objective.tensors(sample), tf.constant(np.stack(truth), objective.dtype))
            )
        self._solution = tf.function(objective.solution, autograph=False)
        self._measures = tf.function(
            lambda u, truth, data: measures(objective, u, truth, data),
            jit_compile=True,
            autograph=False,
        )

    def __call__(self, state: TrainState) -> ErrorMeasures:
        rows = [np.zeros((0, 3))]
        for data, truth in self._chunks:
            u = self._solution(state.theta, state.moments, data, self._resolution)
            rows.append(self._measures(u, truth, data).numpy().astype(np.float64))
        table = self._objective.group.gather_numpy(np.concatenate(rows), "held_out")
        field = self._objective.problem.field
        others = {
            f"worst_relative_l2/{field}": float(table[:, L2].max()),
            f"relative_h1/{field}": float(table[:, H1].mean()),
        }
        if self._objective.problem.loss != "residual":
            others[f"energy_gap/{field}"] = float(table[:, GAP].mean())
        return ErrorMeasures({field: float(table[:, L2].mean())}, others)


def measures(
    objective: GenerativeObjective, u: tf.Tensor, truth: tf.Tensor, data: Samples
) -> tf.Tensor:
    """Return for each sample [B, 3]: |u - v| / |v| in L2 and H1, and (E(u) - E(v)) / |E(v)|.

    Integrals are those of finite elements, v is the reference, H1 is the seminorm.
    """
    problem = objective.problem
    names = [f"{problem.field}_{name}" for name in problem.coordinates]

    def norms(field: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def integral(density: Callable[[Mapping[str, tf.Tensor]], tf.Tensor]) -> tf.Tensor:
            return stencils.integrate(
                density, {problem.field: field}, problem.coordinates, problem.bounds
            )

        square = integral(lambda known: tf.square(known[problem.field]))
        slopes = integral(lambda known: tf.add_n([tf.square(known[name]) for name in names]))
        return tf.sqrt(square), tf.sqrt(slopes)

    (l2, h1), (size, slope) = norms(u - truth), norms(truth)
    gap = tf.zeros_like(l2)
    if problem.loss != "residual":
        inputs = {name: data.fields[name] for name in problem.inputs}
        least = objective.law.energy(truth, inputs)
        gap = (objective.law.energy(u, inputs) - least) / tf.abs(least)
    return tf.stack([l2 / size, h1 / slope, gap], 1)
