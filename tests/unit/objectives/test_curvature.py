"""The curvature of losses on a grid: its square root is exact, and its samples know no rank."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.assembly.build import build_objective, build_problem
from pdehvd.comm.group import Solo
from pdehvd.config.root import load_config
from pdehvd.objectives.batches import SignedSamples
from pdehvd.objectives.curvature import Curvature, semidefinite_factor
from pdehvd.objectives.discrete import DiscreteLaw
from pdehvd.objectives.host import HostCalls, HostObjective
from tests.support.hosts import objective_of

FIELDS = Path(__file__).parents[2] / "parallel" / "fields.yaml"
HEAD = """
precision: float64
problem:
  name: parametric
  coordinates: {x: [0, 1], y: [0, 2]}
  constants: {f: 2}
  inputs: {nu: {name: karhunen_loeve, modes: 2, range: [-1, 1]}}
  scale: nu
  boundary: {x = 0: 1 + y, x = 1: 0}
  resolution: 4
"""
TAIL = """
sampling: {name: samples, samples: 12, batch: 3, held_out: 2}
model: {name: unet, depth: 1, width: 2, activation: tanh}
"""
LAWS = {
    "energy": "  energy: nu*(u_x**2 + u_y**2)/2 - f*u",
    # Its Hessian couples u, u_x and u_y, and is singular.
    "coupled": "  energy: nu*u_x**2/2 + (u + u_x - 2*u_y)**2/2",
    "nonlinear": "  energy: nu*(u_x**2 + u_y**2)/2 + exp(u)",
    "galerkin": "  energy: nu*(u_x**2 + u_y**2)/2 - f*u\n  loss: galerkin",
    "residual": "  residual: nu*(u_xx + u_yy) + u_x + f",
}


def objective_with(folder, name, *settings):
    return objective_of(HEAD + LAWS[name] + TAIL, folder, *settings)


def hessians(law, raw, inputs):
    """Return the Hessian [B, N, N] of each sample's loss by the N values of the network."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(raw)
        slopes = law.losses_and_slopes(raw, inputs)[1]
        columns = [tf.reduce_sum(slopes[:, i, j]) for i, j in np.ndindex(*raw.shape[1:])]
    parts = [tape.gradient(column, raw) for column in columns]
    return np.stack([part.numpy().reshape(len(raw), -1) for part in parts], 1)


@pytest.mark.parametrize("name", LAWS)
def test_the_sum_over_all_rows_is_the_hessian_by_the_fields(tmp_path, name):
    """E[z z^T] = K is the sum of z z^T over unit vectors eps; all losses here are convex."""
    objective = objective_with(tmp_path, name)
    law, curvature = DiscreteLaw(objective.problem, tf.float64), Curvature(objective.law)
    inputs = objective.batch(0)[0].fields
    raw = tf.constant(np.random.default_rng(1).standard_normal((3, 4, 4)))
    count = curvature.count(4)
    sample = tf.function(curvature.sample, autograph=False)
    found = 0.0
    for unit in np.eye(count):
        signs = tf.constant(np.tile(unit, (3, 1)))
        z = sample(raw, inputs, signs).numpy().reshape(3, -1)
        found = found + z[:, :, None] * z[:, None, :]
    expected = hessians(law, raw, inputs)
    np.testing.assert_allclose(found, expected, atol=1e-11 * np.abs(expected).max())


def test_samples_of_parameters_have_the_curvature_of_the_network(tmp_path):
    """The sum of (s . v)^2 over unit vectors is |F J v|^2, J v by differences of the fields."""
    objective = objective_with(tmp_path, "energy", "sampling.batch=2")
    data, weights = objective.batch(0)[0], tf.constant([4.0], tf.float64)
    law, random = Curvature(objective.law), np.random.default_rng(2)
    theta = objective.initial(2) + 0.1 * random.standard_normal(objective.size)
    v = random.standard_normal((2, objective.size))

    def rows(theta):
        parameters = objective.network.split(tf.constant(theta))
        raw = objective._trained(parameters, data, lambda x, name: x)[0]
        fields = data.fields
        return law.rows(objective.law.imposed(raw, fields), fields).numpy().ravel()

    moved = np.stack([(rows(theta + 1e-5 * d) - rows(theta - 1e-5 * d)) / 2e-5 for d in v])
    expected = moved @ moved.T * 4 / 2
    sample = tf.function(objective.curvature.of_signed, autograph=False)
    found = 0.0
    for unit in np.eye(2 * law.count(4)):
        batch = [SignedSamples(data, tf.constant(unit.reshape(2, -1)))]
        s = v @ sample(tf.constant(theta), batch, weights).numpy()
        found = found + np.outer(s, s)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


class Member(Solo):
    size = 3

    def __init__(self, rank):
        self.rank = rank


def test_signs_depend_on_the_place_in_the_batch_and_on_no_rank():
    config, _ = load_config(FIELDS, [])
    objective = build_objective(config, build_problem(config, 1), Solo())
    (whole,) = objective.curvature.with_signs(objective.batch(0), 7)
    parts = []
    for rank in range(3):
        member = build_objective(config, build_problem(config, 1), Member(rank))
        parts.append(member.curvature.with_signs(member.batch(0), 7)[0].signs.numpy())
    np.testing.assert_array_equal(np.concatenate(parts), whole.signs)
    assert len({part.tobytes() for part in whole.signs.numpy()}) == 7
    (other,) = objective.curvature.with_signs(objective.batch(0), 8)
    assert abs(np.mean(whole.signs.numpy() * other.signs.numpy().astype(float))) < 0.1


def sample_of(*settings):
    """Return a sample of the curvature at three samples of a small network."""
    small = ["sampling.batch=3", "model.depth=1", "model.width=2", "problem.resolution=4"]
    given = ["precision=float64", "model.norm=instance", *small, *settings]
    config, _ = load_config(FIELDS, given)
    objective = build_objective(config, build_problem(config, 1), Solo())
    host = HostObjective(HostCalls(objective), objective.batch(0), tf.ones([1], tf.float64))
    return host.curvature_sample(objective.initial(1), 3)


@pytest.fixture(scope="module")
def whole():
    return sample_of()


@pytest.mark.parametrize("way", ["aggregation={name: exact, chunk: 1}", "training.micro_batches=2"])
def test_in_parts_the_sample_is_the_same(whole, way):
    np.testing.assert_allclose(sample_of(way), whole, atol=1e-10 * np.abs(whole).max())


def test_the_factor_keeps_what_is_positive():
    random = np.random.default_rng(4)
    roots = random.standard_normal((5, 3, 3))
    roots[1, :, 2] = 0
    roots[2, :, 1:] = 0
    matrices = roots @ roots.transpose(0, 2, 1)
    matrices[3] = 0
    matrices[4] = -np.eye(3)
    lower = {
        (i, j): tf.constant(matrices[:, i, j])
        for i, j in itertools.product(range(3), repeat=2)
        if j <= i
    }
    factor = np.zeros((5, 3, 3))
    for (i, j), value in semidefinite_factor(lower, 3).items():
        factor[:, i, j] = value
    matrices[4] = 0
    np.testing.assert_allclose(factor @ factor.transpose(0, 2, 1), matrices, atol=1e-6)
