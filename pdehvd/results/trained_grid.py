"""A trained generative model: fields in, solutions out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from pdehvd.assembly.trained_run import StoredParts, TrainedRun
from pdehvd.objectives.batches import Samples
from pdehvd.objectives.generative import GenerativeObjective
from pdehvd.problems.family import HELD_OUT, ParametricProblem, Sample
from pdehvd.reference.on_grid import GridReference

Parts = StoredParts[ParametricProblem, GenerativeObjective, GridReference]


class TrainedOnGrid(TrainedRun[ParametricProblem, GenerativeObjective, GridReference]):
    """The network of a run, solutions of inputs on a grid."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._solution = tf.function(self.objective.solution, autograph=False)

    def held_out(self, numbers: np.ndarray) -> Sample:
        """Return samples of the evaluation by their numbers, at the problem's resolution."""
        return self.problem.draw(numbers, self.problem.resolution, HELD_OUT)

    def predict(self, sample: Sample | Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the fields [B, *n] of samples, or of inputs [B, *n] by name."""
        if not isinstance(sample, Sample):
            sample = Sample(dict(sample), None)
        data = self.objective.tensors(sample)
        resolution = max(n for field in sample.fields.values() for n in field.shape[1:])
        u = self._solution(self._state.theta, self._state.moments, data, resolution)
        values: np.ndarray = u.numpy().astype(np.float64)
        return values

    @property
    def labels(self) -> Mapping[str, str]:
        return self.problem.labels

    def module(self) -> tf.Module:
        """Return a module whose signature `predict` maps inputs [1, *n] by name to the field."""
        module = tf.Module()
        theta = tf.Variable(self._state.theta, trainable=False, name="theta")
        moments = tf.Variable(self._state.moments, trainable=False, name="moments")
        module.theta, module.moments = theta, moments
        problem, objective = self.problem, self.objective
        shape = [1, *problem.shape(problem.resolution)]
        # No input has a name with a space.
        names = ("latent numbers",) if objective.network.latent else ()
        signature = {n: tf.TensorSpec(shape, objective.dtype, name=n) for n in problem.inputs}
        signature |= {
            name: tf.TensorSpec([1, problem.latent], objective.dtype, name="latent")
            for name in names
        }

        def predict(data: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            fields = {name: data[name] for name in problem.inputs}
            latent = [data[name] for name in names]
            samples = Samples(fields, latent[0] if latent else tf.zeros([1, 0], objective.dtype))
            u = objective.solution(theta, moments, samples, problem.resolution)
            return {problem.field: u}

        module.predict = tf.function(predict, input_signature=[signature], autograph=False)
        return module
