"""The objective of a small problem for optimizers that run in Python."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import tensorflow as tf

from pdehvd.assembly.build import build_objective, build_problem
from pdehvd.comm.group import Solo
from pdehvd.config.root import load_config
from pdehvd.objectives.host import HostCalls, HostObjective
from tests.support.stored import assembled


class Member(Solo):
    """One of two ranks that take turns: the sum is known once both have spoken."""

    size = 2

    def __init__(self, rank, board):
        self.rank, self.board = rank, board

    def sum_numpy(self, values, name):
        self.board.setdefault(name, {})[self.rank] = values
        return sum(self.board[name].values())


def check_kept(methods, states, whole):
    """Check that a checkpoint of all ranks holds the state of a run on one, `whole`."""
    for method, state in zip(methods, states, strict=True):
        method.kept(state)
    # Now every sum knows both ranks.
    pairs = zip(methods, states, strict=True)
    kept = assembled([method.kept(state) for method, state in pairs])
    assert set(kept) == set(whole)
    for name, array in whole.items():
        np.testing.assert_allclose(kept[name], array, rtol=1e-12, err_msg=name)
        assert kept[name].dtype == np.asarray(array).dtype


def objective_of(text, folder, *settings):
    """Return the objective of a config's text on one process."""
    path = folder / "problem.yaml"
    path.write_text(text)
    config, _ = load_config(path, settings)
    return build_objective(config, build_problem(config, 1), Solo())


@cache
def _compiled(text, settings):
    """Return the compiled functions of a config's text, a batch, and weights that are one."""
    with tempfile.TemporaryDirectory() as folder:
        objective = objective_of(text, Path(folder), *settings)
    weights = tf.ones([len(objective.terms)], objective.dtype)
    return HostCalls(objective), objective.batch(0), weights


def host_of(text, *settings):
    """Return the objective of a config's text, all weights one, and its theta of seed 1.

    What is compiled is shared by all tests of a config; no evaluation is remembered.
    """
    calls, batch, weights = _compiled(text, settings)
    calls.last = None
    return HostObjective(calls, batch, weights), calls.objective.initial(1)
