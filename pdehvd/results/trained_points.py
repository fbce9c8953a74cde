"""A trained run, read from its directory: predicts, and knows its problem and reference."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from pdehvd.assembly import run_directory as folder
from pdehvd.config import data_record
from pdehvd.config.data_record import changes
from pdehvd.config.root import Config, load_config
from pdehvd.objectives.objective import PDEObjective
from pdehvd.problems.pde import PDEProblem
from pdehvd.results.trained_grid import TrainedOnGrid
from pdehvd.results.trained_run import TrainedRun
from pdehvd.spec import data_files


class Trained(TrainedRun):
    """The network of a run at its newest checkpoint, or at `which`."""

    problem: PDEProblem
    objective: PDEObjective

    def __init__(self, directory: Path, config: Config, which: str = "latest") -> None:
        super().__init__(directory, _without_missing_tables(config), which)
        self._solution = tf.function(
            lambda x: self.objective.solution(self._state.theta, x),
            input_signature=[
                tf.TensorSpec([None, len(self.problem.coordinates)], self.objective.dtype)
            ],
        )

    def predict(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return every field [N] at points [N, D]."""
        values = self._solution(tf.constant(points, self.objective.dtype)).numpy()
        return {field: values[:, i] for i, field in enumerate(self.problem.fields)}

    def module(self) -> tf.Module:
        """Return a module whose signature `predict` maps x [None, D] to the fields by name."""
        module = tf.Module()
        theta = tf.Variable(self._state.theta, trainable=False, name="theta")
        module.theta = theta
        fields = self.problem.fields

        def predict(x: tf.Tensor) -> dict[str, tf.Tensor]:
            values = self.objective.solution(theta, x)
            return {field: values[:, i] for i, field in enumerate(fields)}

        signature = tf.TensorSpec(
            [None, len(self.problem.coordinates)], self.objective.dtype, name="x"
        )
        module.predict = tf.function(predict, input_signature=[signature], autograph=False)
        return module


def _without_missing_tables(config: Config) -> Config:
    """Return a config without the conditions whose tables are missing: a solution has no need."""
    missing = {
        keys[2]
        for keys, file in data_files(config)
        if keys[:2] == ("problem", "conditions") and not Path(file).exists()
    }
    if not missing:
        return config
    there = {name: c for name, c in config.problem.conditions.items() if name not in missing}
    problem = config.problem.model_copy(update={"conditions": there})
    return config.model_copy(update={"problem": problem})


def open_run(
    directory: Path, plugins: tuple[Path, ...] = (), which: str = "latest"
) -> Trained | TrainedOnGrid:
    """Return the run in a directory. Raises `ConfigError` where it is no run."""
    found = folder.find(Path(directory))
    config, _ = load_config(found / data_record.CONFIG, plugins=plugins, look=True)
    for change in changes(found, config):
        print(change, file=sys.stderr)
    kind = TrainedOnGrid if config.problem.kind == "grid" else Trained
    return kind(found, config, which)
