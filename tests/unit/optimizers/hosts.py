"""The objective of a small problem for optimizers that run in Python."""

import tensorflow as tf

from pdehvd.comm.group import Solo
from pdehvd.experiment.build import build_objective, build_problem
from pdehvd.experiment.config import load_config
from pdehvd.objectives.host import HostCalls, HostObjective


def host_of(text, folder, *settings):
    """Return the objective of a config's text, all weights one, and its theta of seed 1."""
    path = folder / "problem.yaml"
    path.write_text(text)
    config, _ = load_config(path, settings)
    objective = build_objective(config, build_problem(config, 1), Solo())
    weights = tf.ones([len(objective.terms)], tf.as_dtype(config.precision))
    return HostObjective(HostCalls(objective), objective.batch(0), weights), objective.initial(1)
