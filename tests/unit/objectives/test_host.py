"""The objective for host optimizers: what it remembers is never out of date."""

import pytest
import tensorflow as tf

from pdehvd.assembly.build import build_objective, build_problem
from pdehvd.comm.group import Solo
from pdehvd.config.root import load_config
from pdehvd.objectives.host import HostCalls, HostObjective

CONFIG = """
precision: float64
problem:
  name: pde
  coordinates: {x: [0, 1]}
  fields: [u]
  equations: {balance: u_xx + u}
  conditions: {walls: {on: boundary, equal: {u: 1}}}
sampling: {name: sobol, equations: 16, conditions: 2, resample_every: 1}
model: {name: mlp, width: 4, depth: 1}
"""


@pytest.fixture(scope="module")
def objective(tmp_path_factory):
    path = tmp_path_factory.mktemp("host") / "problem.yaml"
    path.write_text(CONFIG)
    config, _ = load_config(path)
    return build_objective(config, build_problem(config, 1), Solo())


def test_the_last_evaluation_is_free_and_only_that(objective):
    calls, theta = HostCalls(objective), objective.initial(1)
    batches = objective.batch(0), objective.batch(1)
    weights = tf.ones([2], tf.float64), tf.constant([1.0, 2.0], tf.float64)
    host = HostObjective(calls, batches[0], weights[0])
    first = host.evaluate(theta)
    # The next call of several steps makes another one.
    again = HostObjective(calls, batches[0], weights[0])
    assert again.evaluate(theta.copy()) is first and again.evaluations == 0
    losses = {first.loss}
    for batch, weight in ((batches[1], weights[0]), (batches[1], weights[1])):
        other = HostObjective(calls, batch, weight)
        losses.add(other.evaluate(theta).loss)
        assert other.evaluations == 1
    assert len(losses) == 3
    assert host.evaluate(theta).loss == first.loss and host.evaluations == 2


def test_parameters_changed_in_place_are_evaluated_anew(objective):
    host = HostObjective(HostCalls(objective), objective.batch(0), tf.ones([2], tf.float64))
    theta = objective.initial(1)
    before = host.evaluate(theta).loss
    theta += 0.1
    assert host.evaluate(theta).loss != before
    assert host.evaluations == 2
