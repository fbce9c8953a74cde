"""A trained network of coordinates: points in, fields out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace

import numpy as np
import tensorflow as tf
from typing_extensions import Self

from pdehvd.assembly.trained_run import StoredParts, TrainedRun
from pdehvd.objectives.objective import PDEObjective
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.reference.base import Reference
from pdehvd.results.fixed_coordinates import fixed_coordinates, place_name
from pdehvd.training.point_evaluator import compiled_solution
from pdehvd.training.point_monitors import PointMonitors

# Points [N, D] in, every output [N] by name out.
Solution = Callable[[np.ndarray], dict[str, np.ndarray]]
Parts = StoredParts[PDEProblem, PDEObjective, Reference]


class TrainedAtPoints(TrainedRun[PDEProblem, PDEObjective, Reference]):
    """The solution of a run, its fields at points.

    `fixed` holds the values of the coordinates that `at` has chosen.
    """

    fixed: Mapping[str, float] = {}
    _shown: Solution | None = None

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._solution = tf.function(
            lambda x: self.objective.outputs(self._state.theta, x),
            input_signature=[
                tf.TensorSpec([None, len(self.problem.coordinates)], self.objective.dtype)
            ],
            autograph=False,
        )
        self._residuals = tf.function(self.objective.law.equation_residuals, autograph=False)
        self._compiled = compiled_solution(self.objective)

    @property
    def place(self) -> str:
        return place_name(self.fixed)

    def at(self, given: Mapping[str, float]) -> Self:
        run = copy(self)
        run.fixed = fixed_coordinates(self.problem.domain, {**self.fixed, **given})
        return run

    def showing(self, solution: Solution, called: str, compared: bool) -> Self:
        """Return the run as pictures show it with another solution.

        Arguments:
            solution: points [N, D] in, every output [N] out
            called: what follows the name of each output
            compared: whether the reference is shown next to it
        """
        run, own = copy(self), self.problem
        names = {name: f"{own.labels.get(name, name)}, {called}" for name in own.outputs}
        run.problem = replace(own, labels={**own.labels, **names}, measured={})
        run._shown = solution
        if not compared:
            run._reference = lambda: None
            vars(run).pop("reference", None)
        return run

    def predict(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return every field and definition [N] at points [N, D]."""
        if self._shown is not None:
            return self._shown(points)
        values = self._solution(tf.constant(points, self.objective.dtype)).numpy()
        return {name: values[:, i] for i, name in enumerate(self.problem.outputs)}

    def measured(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return every output in float64, [N], at points [N, D], by the program of a training.

        What a run says of its errors is computed in the same pieces by the same program: in
        single precision, another one's rounding may be as large as the error.
        """
        if self._shown is not None:
            return self._shown(points)
        index, real = self.objective.pieces(len(points))
        pieces = [
            self._compiled(self._state.theta, tf.constant(points[own], self.objective.dtype))
            for own in index
        ]
        values = np.concatenate(pieces)[real.ravel()].astype(np.float64)
        return {name: values[:, i] for i, name in enumerate(self.problem.outputs)}

    def equation_residuals(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return the residual of each equation in float64, [N], at points [N, D]."""
        x = tf.constant(points, self.objective.dtype)
        values = self._residuals(self._state.theta, x).numpy().astype(np.float64)
        terms = self.problem.blocks[0].terms
        return {term.name.partition("/")[2]: values[:, i] for i, term in enumerate(terms)}

    def columns_of_points(self) -> tuple[str, ...]:
        return self.problem.coordinates

    @property
    def labels(self) -> Mapping[str, str]:
        return self.problem.labels

    def module(self) -> tf.Module:
        """Return a module whose signature `predict` maps x [None, D] to the outputs by name."""
        module = tf.Module()
        theta = tf.Variable(self._state.theta, trainable=False, name="theta")
        module.theta = theta
        outputs = self.problem.outputs

        def predict(x: tf.Tensor) -> dict[str, tf.Tensor]:
            values = self.objective.outputs(theta, x)
            return {name: values[:, i] for i, name in enumerate(outputs)}

        signature = tf.TensorSpec(
            [None, len(self.problem.coordinates)], self.objective.dtype, name="x"
        )
        module.predict = tf.function(predict, input_signature=[signature], autograph=False)
        return module

    @property
    def measured_fields(self) -> tuple[str, ...]:
        tables = self.problem.measured.values()
        return tuple(f for f in self.problem.outputs if any(f in table.fields for table in tables))

    @property
    def monitors(self) -> dict[str, float]:
        """The values of the monitors, by the program of a training."""
        return PointMonitors(self.objective)(self._state) if self.problem.monitors else {}

    @property
    def expected_monitors(self) -> dict[str, float]:
        """The values that monitors should have, as far as they are known."""
        known = {monitor.name: monitor.expected for monitor in self.problem.monitors}
        return {name: value for name, value in known.items() if value is not None}

    @property
    def true_unknowns(self) -> dict[str, float]:
        """The true values of the unknowns that the reference knows."""
        known = {} if self.reference is None else self.reference.unknowns
        return {name: float(known[name]) for name in self.unknowns if name in known}
