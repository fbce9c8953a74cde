"""A trained generative model, read from its run directory: fields in, solutions out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pdehvd.comm.group import Solo
from pdehvd.experiment import directory as folder
from pdehvd.experiment.build import build_objective, build_problem, build_reference
from pdehvd.experiment.config import Config
from pdehvd.objectives.generative import LATENT
from pdehvd.problems.family import HELD_OUT, ParametricProblem, Sample
from pdehvd.training.checkpoint import read_state
from pdehvd.training.history import read


class TrainedOnGrid:
    """The network of a run at its newest checkpoint, or at `which`."""

    def __init__(self, directory: Path, config: Config, which: str = "latest") -> None:
        self.directory = directory
        self.config = config
        self.problem: ParametricProblem = build_problem(config, 1)
        self.objective = build_objective(config, self.problem, Solo())
        self._state = read_state(directory, which, self.objective)
        self._solution = tf.function(self.objective.solution, autograph=False)

    @property
    def step(self) -> int:
        """The step of the checkpoint."""
        return self._state.step

    @property
    def summary(self) -> dict[str, Any]:
        """What the run wrote about itself; empty while it has not ended."""
        return folder.read_json(self.directory / folder.SUMMARY)

    @property
    def metrics(self) -> Any:
        """The metrics as a pandas frame, a row for each logged step."""
        return read(self.directory)

    @cached_property
    def reference(self) -> Any:
        """The reference solution, or None."""
        return build_reference(self.config, self.problem)

    @property
    def unknowns(self) -> dict[str, float]:
        """Numbers to be discovered: there are none."""
        return {}

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
        return u.numpy().astype(np.float64)

    def module(self) -> tf.Module:
        """Return a module whose signature `predict` maps inputs [1, *n] by name to the field."""
        module = tf.Module()
        theta = tf.Variable(self._state.theta, trainable=False, name="theta")
        moments = tf.Variable(self._state.moments, trainable=False, name="moments")
        module.theta, module.moments = theta, moments
        problem, objective = self.problem, self.objective
        shape = [1, *problem.shape(problem.resolution)]
        names = (LATENT,) if objective.network.latent else ()
        signature = {n: tf.TensorSpec(shape, objective.dtype, name=n) for n in problem.inputs}
        signature |= {
            name: tf.TensorSpec([1, problem.latent], objective.dtype, name="latent")
            for name in names
        }

        def predict(data: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {problem.field: objective.solution(theta, moments, data, problem.resolution)}

        module.predict = tf.function(predict, input_signature=[signature], autograph=False)
        return module
