"""A network that is a known function, so that residuals can be checked without training."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
import yaml

from pdehvd.assembly.build import build_problem
from pdehvd.comm.aggregation import GlobalMean
from pdehvd.comm.group import Solo
from pdehvd.config.root import load_config
from pdehvd.models.network import Network
from pdehvd.objectives.local_sums import LocalPointSums
from pdehvd.objectives.objective import PDEObjective


class Known(Network):
    """The function `of`, times its one parameter."""

    def __init__(self, of, inputs, outputs):
        self.of, self.inputs, self.outputs, self.dtype = of, inputs, outputs, "float64"

    @property
    def layout(self):
        return (("scale", (1,)),)

    def initial(self, seed):
        return [np.ones(1)]

    def apply(self, parameters, x):
        return self.of(x) * parameters[0]


def config_of(problem, sampling=None, folder=None, **others):
    """Return the config of a problem given as a dictionary."""
    content = {
        "precision": "float64",
        "problem": {"name": "pde", **problem},
        "sampling": sampling or {"name": "sobol", "equations": 64, "conditions": 40},
        **others,
    }
    folder = folder or Path(tempfile.mkdtemp())
    path = Path(folder) / "problem.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return load_config(path)[0]


def known_objective(problem, of, group=None, **others):
    """Return the objective of a problem whose network is the function `of`."""
    config = config_of(problem, **others)
    built = build_problem(config, 1)
    network = Known(of, len(built.coordinates), len(built.fields))
    return PDEObjective(built, network, LocalPointSums(GlobalMean(), group or Solo()), "float64")


def residual_sizes(objective):
    """Return the largest residual of each term at the initial parameters."""
    theta = tf.constant(objective.initial(0))
    values = objective.residuals(theta, objective.batch(0))
    return {
        name: float(tf.reduce_max(tf.abs(value)))
        for name, value in zip(objective.terms, values, strict=True)
    }
