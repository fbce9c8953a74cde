"""Every kind of condition against functions that fulfil it, or miss it by a known amount."""

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.comm.grid import shard
from pdehvd.comm.group import Solo
from pdehvd.objectives import parts as parts_module
from tests.support.known import known_objective, residual_sizes

PI = np.pi


def wave(x):
    """u = sin(pi x) cos(pi t): u_tt = u_xx."""
    return tf.sin(PI * x[:, :1]) * tf.cos(PI * x[:, 1:])


WAVE = {
    "coordinates": {"x": [-1, 1], "t": [0, 2]},
    "fields": ["u"],
    "equations": {"wave": "u_tt - u_xx"},
    "conditions": {
        "walls": {"on": ["x = -1", "x = 1"], "equal": {"u": 0}},
        "start": {"on": "t = 0", "equal": {"u": "sin(pi*x)", "u_t": 0}},
        "flux": {"on": "x = 1", "equal": {"u_n": "-pi*cos(pi*t)"}},
        "flux_left": {"on": "x = -1", "equal": {"u_n": "pi*cos(pi*t)"}},
        "robin": {"on": "x = 1", "equal": {"u_n + 2*u": "-pi*cos(pi*t)"}},
        "sides": {"periodic": "x", "of": ["u", "u_x"]},
        "cycle": {"periodic": "t"},
        "mass": {"integral": "u^2", "over": "x", "equal": "cos(pi*t)^2", "points": 7},
        "total": {"integral": "u", "equal": 0},
        "probe": {"at": {"x": 0.5, "t": 1}, "equal": {"u": -1}},
    },
}


def test_a_solution_has_no_residual():
    sizes = residual_sizes(known_objective(WAVE, wave))
    assert len(sizes) == 11
    for name, size in sizes.items():
        assert size < 1e-12, name


def test_what_is_no_solution_has_the_residual_of_its_formula():
    sizes = residual_sizes(known_objective(WAVE, lambda x: wave(x) + 0.25))
    assert sizes["equation/wave"] < 1e-12 and sizes["condition/sides"] < 1e-12
    assert sizes["condition/walls"] == pytest.approx(0.25)
    assert sizes["condition/robin"] == pytest.approx(0.5)
    assert sizes["condition/total"] == pytest.approx(0.25 * 4)
    assert sizes["condition/probe"] == pytest.approx(0.25)


def test_integral_at_given_points():
    problem = {
        **WAVE,
        "conditions": {"m": {"integral": "u", "over": "t", "at": [{"x": 0.5}], "equal": 3}},
    }
    sizes = residual_sizes(known_objective(problem, lambda x: tf.ones_like(x[:, :1])))
    assert sizes["condition/m"] == pytest.approx(1.0)


def test_normal_derivative_on_a_disk():
    problem = {
        "coordinates": {"x": None, "y": None},
        "geometry": {"disk": {"center": [0, 0], "radius": 2}},
        "fields": ["u"],
        "equations": {"laplace": "u_xx + u_yy - 4"},
        "conditions": {"rim": {"on": "boundary", "equal": {"u_n": 4, "u": 4}}},
    }
    sizes = residual_sizes(
        known_objective(problem, lambda x: tf.reduce_sum(x**2, 1, keepdims=True))
    )
    assert max(sizes.values()) < 1e-12


def test_hard_conditions_change_derivatives_and_the_solution():
    problem = {
        "coordinates": {"x": [0, 1]},
        "fields": ["u"],
        "hard": {"u": "1 + x*(1 - x)*network"},
        "equations": {"second": "u_xx + 2*exp(x) - (1 - 4*x + x*(1-x))*exp(x) + (1-x)*0"},
    }
    objective = known_objective(problem, tf.exp)
    theta = tf.constant(objective.initial(0))
    x = np.linspace(0, 1, 11)[:, None]
    np.testing.assert_allclose(
        objective.solution(theta, tf.constant(x)), 1 + x * (1 - x) * np.exp(x), rtol=1e-14
    )
    # u'' = (x - x^2)'' e^x + 2 (1 - 2x) e^x + (x - x^2) e^x
    data = objective.batch(0)
    at = data[0].x.numpy()[:, 0]
    second = (-2 + 2 * (1 - 2 * at) + at - at**2) * np.exp(at)
    expected = second + 2 * np.exp(at) - (1 - 4 * at + at * (1 - at)) * np.exp(at)
    np.testing.assert_allclose(
        objective.residuals(theta, data)[0][:, 0], expected, rtol=1e-10, atol=1e-10
    )


def test_a_field_may_be_given_by_numbers_alone():
    problem = {
        "coordinates": {"x": [0, 1]},
        "fields": ["u", "v", "w"],
        "unknowns": {"k": 3},
        "hard": {"v": "2", "w": "k"},
        "equations": {"growth": "u_x - u + (v - 2)*u_x + v_x", "given": "w - k"},
    }
    objective = known_objective(problem, lambda x: tf.repeat(tf.exp(x), 3, 1))
    theta = tf.constant(objective.initial(0))
    x = np.linspace(0, 1, 5)[:, None]
    expected = np.concatenate([np.exp(x), np.full_like(x, 2), np.full_like(x, 3)], 1)
    np.testing.assert_allclose(objective.solution(theta, tf.constant(x)), expected, rtol=1e-14)
    assert max(residual_sizes(objective).values()) < 1e-12


@pytest.mark.parametrize(("text", "value"), [("0*network", 0), ("1/2", 0.5), ("k", 3)])
def test_the_only_field_may_be_a_number(text, value):
    problem = {
        "coordinates": {"x": [0, 1]},
        "fields": ["u"],
        "unknowns": {"k": 3},
        "hard": {"u": text},
        "equations": {"given": "u_x + k - 3"},
    }
    objective = known_objective(problem, tf.exp)
    x = tf.constant([[0.0], [1.0]], tf.float64)
    solution = objective.solution(tf.constant(objective.initial(0)), x)
    np.testing.assert_array_equal(solution, [[value], [value]])


def test_data_file_and_unknowns(tmp_path):
    x = np.linspace(0, 1, 5)
    np.savez(tmp_path / "u.npz", x=x, u=2 * np.exp(-3 * x))
    problem = {
        "coordinates": {"x": [0, 1]},
        "fields": ["u"],
        "unknowns": {"rate": {"initial": 3, "positive": True}, "shift": 0.5},
        "equations": {"decay": "u_x + rate*u + shift"},
        "conditions": {"seen": {"data": "u.npz"}},
    }
    objective = known_objective(problem, lambda x: 2 * tf.exp(-3 * x), folder=tmp_path)
    assert objective.terms == ("equation/decay", "data/seen")
    sizes = residual_sizes(objective)
    assert sizes["data/seen"] < 1e-14 and sizes["equation/decay"] == pytest.approx(0.5)
    theta = tf.constant(objective.initial(0))
    found = objective.unknowns(theta)
    assert float(found["rate"]) == pytest.approx(3) and float(found["shift"]) == 0.5
    assert float(theta[-2]) == pytest.approx(np.log(3))


class Part(Solo):
    """One rank's view of several, without their sums."""

    def __init__(self, rank, size):
        self.rank, self.size = rank, size


@pytest.mark.parametrize("size", [2, 7])
def test_contributions_of_shards_add_up_to_the_whole(size):
    """Also where a rank holds no item of a condition: `total` has one item for seven ranks."""
    whole = known_objective(WAVE, lambda x: wave(x) * x[:, :1])
    theta = tf.constant([1.3], tf.float64)
    weights = tf.range(1.0, 12.0, dtype=tf.float64)
    gradient, losses = whole.contributions(theta, whole.batch(0), weights)
    for rank in range(size):
        part = known_objective(WAVE, lambda x: wave(x) * x[:, :1], group=Part(rank, size))
        share = part.contributions(theta, part.batch(0), weights)
        gradient, losses = gradient - share[0], losses - share[1]
    np.testing.assert_allclose(losses, np.zeros(11), atol=1e-12)
    np.testing.assert_allclose(gradient, [0.0], atol=1e-10)
    assert shard(1, 0, size) == (0, 0)


def test_gradient_against_differences():
    objective = known_objective(WAVE, lambda x: wave(x) * x[:, :1])
    weights = tf.range(1.0, 12.0, dtype=tf.float64)

    def at(value):
        return objective.evaluate(tf.constant([value], tf.float64), objective.batch(0), weights)

    step = 1e-5
    slope = (float(at(1.3 + step).loss) - float(at(1.3 - step).loss)) / (2 * step)
    assert float(at(1.3).gradient[0]) == pytest.approx(slope, rel=1e-8)
    assert float(at(1.3).loss) == pytest.approx(float(tf.reduce_sum(weights * at(1.3).losses)))


def test_term_gradients_add_up_and_kernel_traces_estimate_the_squared_jacobian():
    objective = known_objective(WAVE, lambda x: wave(x) * x[:, :1])
    theta, batch = tf.constant([1.3], tf.float64), objective.batch(0)
    ones = tf.ones([len(objective.terms)], tf.float64)
    rows = objective.term_gradients(theta, batch)
    np.testing.assert_allclose(
        tf.reduce_sum(rows, 0), objective.evaluate(theta, batch, ones).gradient, rtol=1e-12
    )
    # With one parameter J is a column; the average over all signs of (J^T v)^2 is J^T J.
    generator = np.random.default_rng(0)
    traces = tf.function(lambda v: objective.kernel_traces(theta, batch, v), autograph=False)
    total = np.zeros(len(objective.terms))
    for _ in range(300):
        signs = [tf.constant(generator.choice([-1.0, 1.0], int(n))) for n in objective.counts]
        total += traces(signs).numpy() / 300
    with tf.GradientTape() as tape:
        tape.watch(theta)
        first = objective.residuals(theta, batch)[0]
    jacobian = tape.jacobian(first, theta).numpy()
    assert total[0] == pytest.approx(np.sum(jacobian**2) / objective.counts[0], rel=0.25)


def test_single_precision_stays_single():
    objective = known_objective(WAVE, wave)
    objective.dtype = tf.float32
    assert all(c.dtype == tf.float32 for c in tf.nest.flatten(objective.batch(0)))


def test_a_shard_in_parts_gives_the_same_sums(monkeypatch):
    whole = known_objective(WAVE, lambda x: wave(x) * x[:, :1])
    theta, batch = tf.constant([1.3], tf.float64), whole.batch(0)
    weights = tf.range(1.0, 12.0, dtype=tf.float64)
    want = whole.contributions(theta, batch, weights)
    monkeypatch.setattr(parts_module, "_CACHE", 700)
    assert whole._parts(batch) > 2 and 64 % whole._parts(batch)
    for got in (whole.contributions, tf.function(whole.contributions, autograph=False)):
        for a, b in zip(want, got(theta, batch, weights), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)
