"""A trained run, read from its directory: predicts, and knows its problem and reference."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pdehvd.comm.group import Solo
from pdehvd.experiment import directory as folder
from pdehvd.experiment.build import build_objective, build_problem, build_reference
from pdehvd.experiment.config import Config, load_config
from pdehvd.experiment.trained_grid import TrainedOnGrid
from pdehvd.problems.pde import PDEProblem
from pdehvd.training.checkpoint import read_state
from pdehvd.training.history import read


class Trained:
    """The network of a run at its newest checkpoint, or at `which`."""

    def __init__(self, directory: Path, config: Config, which: str = "latest") -> None:
        self.directory = directory
        self.config = config
        self.problem: PDEProblem = build_problem(config, 1)
        self._objective = build_objective(config, self.problem, Solo())
        self._state = read_state(directory, which, self._objective)
        self._solution = tf.function(
            lambda x: self._objective.solution(self._state.theta, x),
            input_signature=[
                tf.TensorSpec([None, len(self.problem.coordinates)], self._objective.dtype)
            ],
        )

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
        """The numbers that were discovered."""
        return {
            name: float(value)
            for name, value in self._objective.unknowns(self._state.theta).items()
        }

    def predict(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return every field [N] at points [N, D]."""
        values = self._solution(tf.constant(points, self._objective.dtype)).numpy()
        return {field: values[:, i] for i, field in enumerate(self.problem.fields)}

    def module(self) -> tf.Module:
        """Return a module whose signature `predict` maps x [None, D] to the fields by name."""
        module = tf.Module()
        theta = tf.Variable(self._state.theta, trainable=False, name="theta")
        module.theta = theta
        fields = self.problem.fields

        def predict(x: tf.Tensor) -> dict[str, tf.Tensor]:
            values = self._objective.solution(theta, x)
            return {field: values[:, i] for i, field in enumerate(fields)}

        signature = tf.TensorSpec(
            [None, len(self.problem.coordinates)], self._objective.dtype, name="x"
        )
        module.predict = tf.function(predict, input_signature=[signature], autograph=False)
        return module


def open_run(
    directory: Path, plugins: tuple[Path, ...] = (), which: str = "latest"
) -> Trained | TrainedOnGrid:
    """Return the run in a directory. Raises `ConfigError` where it is no run."""
    found = folder.find(Path(directory))
    config, _ = load_config(found / folder.CONFIG, plugins=plugins)
    kind = TrainedOnGrid if config.problem.kind == "grid" else Trained
    return kind(found, config, which)
