"""The objective of a generative model: its gradient, its batches, what is imposed."""

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.comm.group import Solo
from pdehvd.objectives.discrete import DiscreteLaw
from pdehvd.training.ahead import Ahead
from tests.support.hosts import objective_of

DARCY = """
precision: float64
problem:
  name: parametric
  coordinates: {x: [0, 1], y: [0, 1]}
  constants: {f: 2}
  inputs: {nu: {name: karhunen_loeve, modes: 2, range: [-1, 1]}}
  energy: nu*(u_x**2 + u_y**2)/2 - f*u
  scale: nu
  boundary: {x = 0: 1 + y, x = 1: 0}
  resolution: 8
sampling: {name: samples, samples: 12, batch: 3, held_out: 2}
model: {name: unet, depth: 1, width: 2, activation: tanh}
"""
BURGERS = """
precision: float64
problem:
  name: parametric
  coordinates: {x: [0, 1], t: [0, 1]}
  constants: {nu: 0.1}
  inputs: {u0: {name: gaussian_field, coordinates: [x], transform: none, boundary: dirichlet}}
  residual: u_t + F_x - nu*u_xx
  fluxes: {F: {value: u**2/2, along: x}}
  differences: {t: backward}
  boundary: {t = 0: u0, x = 0: 0, x = 1: 0}
  resolution: 8
sampling: {name: samples, samples: 12, batch: 3}
model: {name: unet, depth: 1, width: 2}
"""


pytestmark = pytest.mark.usefixtures("eagerly")


def law_of(text, folder, *settings):
    objective = objective_of(text, folder, *settings)
    return objective.problem, DiscreteLaw(objective.problem, tf.float64)


@pytest.mark.parametrize("loss", ["ritz", "galerkin"])
def test_the_gradient_is_that_of_the_loss(tmp_path, loss):
    objective = objective_of(DARCY, tmp_path, f"problem.loss={loss}")
    batch, weights = objective.batch(0), tf.ones([1], tf.float64)
    theta = objective.initial(2) + 0.1 * np.random.default_rng(1).standard_normal(objective.size)
    direction = np.random.default_rng(3).standard_normal(objective.size)
    at = objective.evaluate(tf.constant(theta), batch, weights)
    moved = np.stack([theta + h * direction for h in (1e-5, -1e-5)])
    ahead, behind = objective.losses_at(tf.constant(moved), batch, weights).numpy()
    slope = (ahead - behind) / 2e-5
    assert np.isclose(at.gradient.numpy() @ direction, slope, rtol=1e-6)
    assert at.moments.shape == (objective.network.moments,)


def test_conditions_hold_exactly(tmp_path):
    objective = objective_of(DARCY, tmp_path)
    theta, moments = objective.initial(2), objective.initial_moments()
    data = objective.batch(0)[0]
    u = objective.solution(tf.constant(theta), tf.constant(moments), data, 8).numpy()
    assert np.array_equal(u[:, 0], np.broadcast_to(1 + np.linspace(0, 1, 8), (3, 8)))
    assert np.all(u[:, -1] == 0)
    assert objective.law.free(8).sum() == 48


def test_a_hard_form_comes_before_the_conditions(tmp_path):
    problem, law = law_of(BURGERS, tmp_path, "problem.hard=u0 + t*network")
    u0 = problem.draw(np.arange(2), 8).fields["u0"]
    u0 = np.broadcast_to(u0, (2, 8, 8))[:, :, :1]
    u = law.imposed(tf.ones([2, 8, 8], tf.float64), {"u0": tf.constant(u0)}).numpy()
    expected = u0 + np.linspace(0, 1, 8)
    np.testing.assert_allclose(u[:, 1:-1], expected[:, 1:-1], rtol=1e-12)
    assert np.all(u[:, 0, 1:] == 0) and np.all(u[:, -1, 1:] == 0)


def test_features_are_logarithms_without_their_mean(tmp_path):
    problem, law = law_of(DARCY, tmp_path)
    nu = problem.draw(np.arange(2), 8).fields["nu"]
    image = law.images({"nu": tf.constant(nu)}, 8).numpy()
    log = np.log(nu)
    np.testing.assert_allclose(image[..., 0], log - log.mean((1, 2), keepdims=True), atol=1e-12)


def test_energies_are_divided_by_the_mean_of_the_scale(tmp_path):
    problem, law = law_of(DARCY, tmp_path)
    nu = tf.constant(problem.draw(np.arange(2), 8).fields["nu"])
    u = tf.constant(np.random.default_rng(0).standard_normal((2, 8, 8)))
    sizes = nu.numpy().mean((1, 2))
    plain = law.energy(u, {"nu": nu}).numpy()
    np.testing.assert_allclose(law.losses(u, {"nu": nu}).numpy(), plain / sizes, rtol=1e-12)


def test_the_energy_of_a_plane_is_known(tmp_path):
    problem, law = law_of(DARCY, tmp_path)
    x, y = np.meshgrid(*problem.axes(8), indexing="ij")
    u = tf.constant((3 * x - y)[None])
    # nu |grad u|^2 / 2 - f u with nu = 2: 2 * 10 / 2 - 2 * (3/2 - 1/2).
    energy = law.energy(u, {"nu": tf.constant(np.full((1, 8, 8), 2.0))})
    np.testing.assert_allclose(energy.numpy(), 8.0, rtol=1e-12)


def test_a_residual_vanishes_with_the_grid(tmp_path):
    """u = x / (1 + t) solves u_t + u u_x = nu u_xx: only differences in time are left."""
    problem, law = law_of(BURGERS, tmp_path)
    losses = []
    for n in (17, 33, 65):
        x, t = np.meshgrid(*problem.axes(n), indexing="ij")
        u0 = tf.constant(x[None, :, :1])
        losses.append(float(law.losses(tf.constant((x / (1 + t))[None]), {"u0": u0})[0]))
    rates = np.log2(np.array(losses[:-1]) / losses[1:])
    # The loss is a mean square, and differences in time and the flux are of first order.
    assert np.all(rates > 1.8)


def test_batches_follow_the_levels_and_are_drawn_ahead(tmp_path):
    levels = "training.levels={resolutions: [4, 8], shares: [1, 1]}"
    objective = objective_of(DARCY, tmp_path, levels, "training.steps=4")
    ahead = Ahead(objective)
    for step, resolution in enumerate((4, 4, 8, 8)):
        drawn, direct = ahead.batch(step, None)[0], objective.batch(step)[0]
        assert drawn.fields["nu"].shape == (3, resolution, resolution)
        np.testing.assert_array_equal(drawn.fields["nu"], direct.fields["nu"])
        assert objective.points_at(step) == drawn.fields["nu"].numpy().size
    assert objective.points == objective.points_at(3)
    # Going back, as a resumed run does, gives the same batch.
    again, direct = ahead.batch(1, None)[0], objective.batch(1)[0]
    np.testing.assert_array_equal(again.fields["nu"], direct.fields["nu"])


def test_a_round_has_the_points_of_its_first_step(tmp_path):
    levels = "training.levels={resolutions: [4, 8], shares: [3, 3]}"
    rounds = ["sampling.every=2", "training.steps=6"]
    objective = objective_of(DARCY, tmp_path, levels, *rounds)
    # The level changes after three steps, in the middle of a round.
    for step in range(6):
        drawn = objective.batch(step // 2)[0].fields["nu"].numpy()
        assert objective.points_at(step) == drawn.size


def test_moving_averages_keep_what_the_momentum_says(tmp_path):
    objective = objective_of(DARCY, tmp_path, "model.norm={name: batch, momentum: 0.75}")
    old, fresh = tf.constant([0.0, 4.0], tf.float64), tf.constant([8.0, 0.0], tf.float64)
    np.testing.assert_allclose(objective.averaged(old, fresh), [2.0, 3.0])
    assert objective.averaged(old, None) is old


def test_lbfgs_learns_from_batches_that_overlap(tmp_path):
    from pdehvd.objectives.host import HostCalls, HostObjective
    from pdehvd.optimizers.quasi_newton import LBFGS

    objective = objective_of(DARCY, tmp_path, "sampling.every=4", "sampling.overlap=0.5")
    method, weights = LBFGS().build(Solo()), tf.ones([1], tf.float64)
    calls, theta = HostCalls(objective), objective.initial(2)
    state, losses = method.init(theta), []
    for round_ in range(3):
        bound = HostObjective(calls, objective.batch(round_), weights)
        for _ in range(4):
            theta, state, point, _ = method.step(bound, theta, state)
            losses.append(point.loss)
    assert losses[3] < losses[0] and losses[11] < losses[8] < losses[0]
    assert point.moments.shape == (objective.network.moments,)
