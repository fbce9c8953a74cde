"""Residuals on fresh points: as many, elsewhere, and with the numbers of a formula."""

import numpy as np
import pytest
import tensorflow as tf
import yaml

from pdehvd.training.fresh_residuals import fresh_residuals
from pdehvd.training.state import TrainState
from tests.support.hosts import objective_of
from tests.support.known import known_objective

PROBLEM = {
    "coordinates": {"x": [0, 1], "t": [0, 1]},
    "fields": ["u"],
    "equations": {"heat": "u_t - u_xx", "other": "2*u"},
    "conditions": {
        "start": {"on": "t = 0", "equal": {"u": 1}},
        "sides": {"periodic": "x"},
        "mean": {"integral": "u", "over": "x", "equal": 2, "points": 4},
        "probe": {"at": {"x": 0.5, "t": 1}, "equal": {"u": 4}},
    },
}
SAMPLINGS = [
    {"name": "grid", "equations": 64, "conditions": 40},
    {"name": "sobol", "equations": 64, "conditions": 40, "resample_every": 2},
    {"name": "rad", "equations": 64, "conditions": 40, "every": 2, "candidates": 90},
]


def state_of(objective, step=0, selection=None):
    theta = tf.constant(objective.initial(0))
    weights = tf.ones(len(objective.terms), theta.dtype)
    return TrainState(step, theta, {}, weights, selection=selection)


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=lambda s: s["name"])
def test_fresh_points_are_as_many_and_others(sampling):
    objective = known_objective(PROBLEM, lambda x: x[:, :1], sampling=sampling)
    trained, fresh = objective.whole(0).batch, objective.whole(None).batch
    for name, old, new in zip(("equations", "start", "sides"), trained, fresh, strict=False):
        assert old.x.shape == new.x.shape, name
        common = set(map(tuple, old.x.numpy())) & set(map(tuple, new.x.numpy()))
        assert len(common) <= 2, name
    for old, new in zip(trained[3:], fresh[3:], strict=True):
        np.testing.assert_array_equal(old.x, new.x)


def test_numbers_are_those_of_the_formula():
    objective = known_objective(PROBLEM, lambda x: 3 + 0 * x[:, :1], sampling=SAMPLINGS[0])
    found = fresh_residuals(objective, state_of(objective))
    expected = {
        "equation/heat": 0,
        "equation/other": 6,
        "condition/start": 2,
        "condition/sides": 0,
        "condition/mean": 1,
        "condition/probe": 1,
    }
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx((value, value), abs=1e-12), name


def test_a_residual_between_the_trained_points_shows():
    """cos(8 pi x) vanishes at the midpoints of a grid of 8 x 8 cells."""
    problem = {
        "coordinates": {"x": [0, 1], "t": [0, 1]},
        "fields": ["u"],
        "equations": {"zero": "u"},
    }
    sampling = {"name": "grid", "equations": 64, "conditions": 1}
    objective = known_objective(problem, lambda x: tf.cos(8 * np.pi * x[:, :1]), sampling=sampling)
    trained, fresh = fresh_residuals(objective, state_of(objective))["equation/zero"]
    assert trained < 1e-12 and fresh == pytest.approx(np.sqrt(0.5), rel=0.3)


def test_trained_points_are_those_of_the_last_step():
    objective = known_objective(PROBLEM, lambda x: x[:, :1], sampling=SAMPLINGS[1])
    of_round = objective.whole(1).losses(state_of(objective).theta, tf.zeros(0))
    for step in (3, 4):
        found = fresh_residuals(objective, state_of(objective, step))
        np.testing.assert_array_equal([one.trained for one in found.values()], np.sqrt(of_round))


def test_chosen_points_are_taken():
    objective = known_objective(PROBLEM, lambda x: x[:, :1], sampling=SAMPLINGS[2])
    state = state_of(objective, 2, np.arange(20, 84))
    candidates = objective.problem.interior.candidate_items(1, 20, 84).x
    chosen = objective.whole(1, state.selection).batch[0].x
    np.testing.assert_array_equal(chosen, candidates)
    value = fresh_residuals(objective, state)["equation/other"].trained
    assert value == pytest.approx(2 * np.sqrt(np.mean(candidates[:, 0] ** 2)))


@pytest.mark.parametrize("loss", ["ritz", "residual"])
def test_samples(tmp_path, loss):
    law = (
        {"energy": "nu*(u_x**2 + u_y**2)/2 - f*u"}
        if loss == "ritz"
        else {"residual": "nu*(u_xx + u_yy) + f"}
    )
    text = yaml.safe_dump(
        {
            "precision": "float64",
            "problem": {
                "name": "parametric",
                "coordinates": {"x": [0, 1], "y": [0, 1]},
                "constants": {"f": 2},
                "inputs": {"nu": {"name": "karhunen_loeve", "modes": 2, "range": [-1, 1]}},
                "boundary": {"x = 0": 0, "x = 1": 0},
                "resolution": 8,
                **law,
            },
            "sampling": {"name": "samples", "samples": 4, "batch": 4, "held_out": 2},
            "model": {"name": "unet", "depth": 1, "width": 2, "activation": "tanh"},
        }
    )
    objective = objective_of(text, tmp_path)
    theta, moments = (tf.constant(a) for a in (objective.initial(0), objective.initial_moments()))
    state = TrainState(1, theta, {}, tf.ones(1), moments)
    ((name, found),) = fresh_residuals(objective, state).items()
    (batch,), weights = objective.batch(0), tf.ones(1, tf.float64)
    u = objective.solution(theta, moments, batch, 8)
    expected = float(tf.reduce_mean(objective.law.losses(u, batch.fields)))
    expected = expected if loss == "ritz" else expected**0.5
    assert name.endswith(loss) and found.trained == pytest.approx(expected)
    assert np.isfinite(found.fresh) and found.fresh != found.trained and len(weights) == 1
