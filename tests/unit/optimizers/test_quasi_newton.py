"""Conformance of every registered quasi-Newton method: a new one is tested by being registered."""

import copy
import math

import numpy as np
import pytest

from pdehvd.comm.group import Solo
from pdehvd.errors import ConfigError
from pdehvd.numerics.vectors import Replicated
from pdehvd.objectives.protocols import Point
from pdehvd.optimizers.base import StalledError
from pdehvd.optimizers.quasi_newton import BFGS, LBFGS, DenseSpec, QuasiNewtonSpec, SSBroyden
from pdehvd.spec import registered
from tests.support.stored import held

METHODS = {n: s for n, s in registered("optimizer").items() if issubclass(s, QuasiNewtonSpec)}
DENSE = {n: s for n, s in METHODS.items() if issubclass(s, DenseSpec)}
FACTS = {"step_length", "gradient_norm", "evaluations", "restarts"}


class Function:
    """f(theta) -> loss, gradient in the place of an objective; counts its evaluations."""

    vectors = Replicated()

    def __init__(self, function):
        self._function = function
        self._last = None
        self.evaluations = 0

    def evaluate(self, theta):
        if self._last is not None and np.array_equal(self._last[0], theta):
            return self._last[1]
        self.evaluations += 1
        loss, gradient = self._function(theta)
        loss = float(theta.dtype.type(loss))
        self._last = theta, Point(loss, np.array([loss]), gradient.astype(theta.dtype))
        return self._last[1]


def rosenbrock(x):
    """Return Rosenbrock's function in any even number of dimensions and its gradient."""
    a, b = x[::2], x[1::2]
    gradient = np.empty_like(x)
    gradient[::2] = -400 * a * (b - a * a) - 2 * (1 - a)
    gradient[1::2] = 200 * (b - a * a)
    return np.sum(100 * (b - a * a) ** 2 + (1 - a) ** 2), gradient


def bowl(scales, centre=0.0):
    """Return f = sum_i scales_i (theta_i - centre_i)^2 / 2."""

    def function(theta):
        away = theta - centre
        return np.sum(scales * away**2) / 2, scales * away

    return function


SCALES = np.geomspace(1, 100, 30)
VALLEY = np.tile([-1.2, 1.0], 5) * np.linspace(0.5, 1.5, 10)


def run(method, objective, theta, steps, state=None):
    state, losses = method.init(theta) if state is None else state, []
    facts = {}
    for _ in range(steps):
        theta, state, point, facts = method.step(objective, theta, state)
        losses.append(point.loss)
    return theta, state, losses, facts


def minimised(method, objective, theta, goal, most):
    """Return theta and the steps until the loss is below the goal."""
    state = method.init(theta)
    for step in range(1, most + 1):
        theta, state, point, _ = method.step(objective, theta, state)
        if point.loss < goal:
            return theta, step
    raise AssertionError(f"the loss is {point.loss} after {most} steps")


@pytest.mark.parametrize("name", METHODS)
def test_a_quadratic_is_solved(name):
    theta, _ = minimised(
        METHODS[name]().build(Solo()), Function(bowl(SCALES)), np.ones(30), 1e-18, 200
    )
    assert np.max(np.abs(theta)) < 1e-8


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("pairs", [1, 5])
def test_rosenbrock_is_solved(name, pairs):
    objective = Function(rosenbrock)
    theta, steps = minimised(
        METHODS[name]().build(Solo()), objective, VALLEY[: 2 * pairs].copy(), 1e-17, 250
    )
    np.testing.assert_allclose(theta, 1, atol=1e-8)
    assert objective.evaluations < 1.7 * steps


@pytest.mark.parametrize("name", METHODS)
def test_the_point_and_the_facts_belong_to_the_next_theta(name):
    objective, theta = Function(rosenbrock), VALLEY.copy()
    method = METHODS[name]().build(Solo())
    state = method.init(theta)
    for _ in range(5):
        before = objective.evaluations
        theta, state, point, facts = method.step(objective, theta, state)
        assert facts["evaluations"] == objective.evaluations - before
        assert point.loss == rosenbrock(theta)[0]
        assert facts["gradient_norm"] == np.linalg.norm(point.gradient)
        assert FACTS == set(facts) == set(method.facts)
        assert facts["step_length"] > 0 and facts["restarts"] == 0


@pytest.mark.parametrize("name", METHODS)
def test_single_precision_is_kept(name):
    method = METHODS[name]().build(Solo())
    theta, state, losses, _ = run(method, Function(rosenbrock), VALLEY.astype(np.float32), 60)
    arrays = method.kept(state)
    assert theta.dtype == np.float32 and losses[-1] < 1e-2 * losses[0]
    assert all(array.dtype == np.float32 for array in arrays.values() if 10 in array.shape)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("steps", [0, 4, 23])
def test_state_alone_continues_a_run(name, steps):
    spec, start = METHODS[name](), np.linspace(-1, 1.5, 40)
    whole, *_ = run(spec.build(Solo()), Function(rosenbrock), start, steps + 10)
    theta, state, *_ = run(spec.build(Solo()), Function(rosenbrock), start, steps)
    other = spec.build(Solo())
    arrays = other.kept(state)
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    fresh = spec.build(Solo()).kept(other.init(start))
    assert {n: (a.shape, a.dtype) for n, a in arrays.items()} == {
        n: (a.shape, a.dtype) for n, a in fresh.items()
    }
    theta, *_ = run(other, Function(rosenbrock), theta, 10, other.restored(held(arrays), ()))
    np.testing.assert_array_equal(theta, whole)


@pytest.mark.parametrize("name", METHODS)
def test_what_was_learnt_outlives_a_change_of_points(name):
    scales = np.array([1.0, 10.0, 100.0, 3.0])
    method = METHODS[name]().build(Solo())
    theta, state, losses, _ = run(method, Function(bowl(scales)), np.ones(4), 25)
    assert losses[-1] < 1e-8
    # The same curvature somewhere else: a pair across the change would spoil H.
    moved = Function(bowl(scales, np.array([3.0, -2.0, 5.0, 1.0])))
    at_first = moved.evaluate(theta).loss
    *_, losses, facts = run(method, moved, theta, 1, state)
    assert losses[0] < 1e-3 * at_first and facts["restarts"] == 0


@pytest.mark.parametrize("name", METHODS)
def test_new_points_at_every_step_are_no_obstacle(name):
    random, method = np.random.default_rng(2), METHODS[name]().build(Solo())
    theta = np.full(30, 5.0)
    state, distances = method.init(theta), []
    for _ in range(150):
        centre = 1e-3 * random.standard_normal(30)
        theta, state, *_ = method.step(Function(bowl(SCALES, centre)), theta, state)
        distances.append(np.linalg.norm(theta))
    assert distances[-1] < 1e-2


@pytest.mark.parametrize("name", METHODS)
def test_a_minimum_stalls_and_leaves_the_state_as_it_was(name):
    method, theta = METHODS[name]().build(Solo()), np.array([1.0, 1.0])
    objective = Function(rosenbrock)
    state = method.init(theta)
    kept = copy.deepcopy(method.kept(state))
    with pytest.raises(StalledError, match="the loss is 0"):
        method.step(objective, theta, state)
    for name_, array in method.kept(state).items():
        np.testing.assert_array_equal(array, kept[name_])


def spoil(state, sign):
    """Give the state an H that points uphill, or nowhere."""
    if "inverse" in state:
        state["inverse"].rescale(sign)
        state["product"] = sign * state["product"]
    else:
        state["y"] *= sign
        state["curvature"] *= sign
    return state


@pytest.mark.parametrize("name", METHODS)
def test_a_useless_matrix_is_forgotten_once(name):
    method, objective = METHODS[name]().build(Solo()), Function(rosenbrock)
    theta, state, losses, _ = run(method, objective, VALLEY.copy(), 8)
    theta, state, point, facts = method.step(objective, theta, spoil(state, -1.0))
    assert facts["restarts"] == 1 and point.loss < losses[-1]
    for _ in range(200):
        theta, state, _, facts = method.step(objective, theta, state)
        if facts["gradient_norm"] < 1e-6:
            break
    assert facts["gradient_norm"] < 1e-6 and facts["restarts"] == 1


@pytest.mark.parametrize("name", METHODS)
def test_a_failed_restart_stalls_and_leaves_the_state_as_it_was(name):
    method = METHODS[name]().build(Solo())
    theta, state, *_ = run(method, Function(rosenbrock), VALLEY.copy(), 8)
    kept = copy.deepcopy(method.kept(state))
    # Whatever lies beside theta is higher, against what the gradient says.
    kink = Function(lambda x: (1 + np.abs(x - theta).sum(), np.ones_like(x)))
    with pytest.raises(StalledError):
        method.step(kink, theta, state)
    for name_, array in method.kept(state).items():
        np.testing.assert_array_equal(array, kept[name_])


@pytest.mark.parametrize("name", METHODS)
def test_a_loss_that_is_no_number_is_handed_on(name):
    method, theta = METHODS[name]().build(Solo()), np.ones(3)
    broken = Function(lambda x: (math.nan, x))
    after, _, point, facts = method.step(broken, theta, method.init(theta))
    assert math.isnan(point.loss) and facts["evaluations"] == 1
    np.testing.assert_array_equal(after, theta)


@pytest.mark.parametrize("name", METHODS)
def test_no_curvature_teaches_nothing(name):
    method, theta = METHODS[name]().build(Solo()), np.zeros(3)
    falling = Function(lambda x: (-x.sum(), -np.ones(3)))
    _, state, losses, _ = run(method, falling, theta, 2)
    assert int(state["updates"]) == 0 and losses[1] < losses[0] < 0


@pytest.mark.parametrize("name", METHODS)
def test_losses_far_below_one_are_still_lowered(name):
    tiny = Function(lambda x: tuple(1e-14 * part for part in rosenbrock(x)))
    theta, _ = minimised(METHODS[name]().build(Solo()), tiny, VALLEY.copy(), 1e-29, 400)
    np.testing.assert_allclose(theta, 1, atol=1e-6)


@pytest.mark.parametrize("memory", [3, 50])
def test_limited_memory_is_bfgs_from_the_last_pairs(memory):
    method = LBFGS(memory=memory).build(Solo())
    _, state, *_ = run(method, Function(rosenbrock), VALLEY.copy(), 12)
    pairs = list(zip(np.roll(state["s"], -12, 0), np.roll(state["y"], -12, 0), strict=True))
    pairs = pairs[-3:] if memory == 3 else [(s, y) for s, y in pairs if np.any(s)]
    assert len(pairs) == min(memory, 12)
    s, y = pairs[-1]
    plain = np.eye(10) * (s @ y) / (y @ y)
    for s, y in pairs:
        left = np.eye(10) - np.outer(s, y) / (s @ y)
        plain = left @ plain @ left.T + np.outer(s, s) / (s @ y)
    for gradient in np.eye(10):
        product = method.product(state, gradient, Replicated())
        np.testing.assert_allclose(product, plain @ gradient, rtol=1e-9)


def test_limited_memory_with_room_for_all_pairs_keeps_up_with_bfgs():
    steps = [
        minimised(spec.build(Solo()), Function(bowl(SCALES)), np.ones(30), 1e-16, 200)[1]
        for spec in (BFGS(), LBFGS(memory=200), LBFGS(memory=1))
    ]
    assert steps[1] < 1.3 * steps[0] and steps[2] > 1.3 * steps[1]


def test_what_a_method_needs_is_told():
    assert all(spec.needs.float64 and spec.needs.fixed_batch > 1 for spec in DENSE.values())
    assert not LBFGS.needs.float64
    assert set(METHODS) == {"lbfgs", "bfgs", "ssbfgs", "ssbroyden"}
    dense, few = SSBroyden().bytes_needed(50_000, 1, 2), LBFGS(memory=10).bytes_needed(50_000, 1, 2)
    assert dense > 0.4 * 8 * 50_000**2 > 30 * few


@pytest.mark.parametrize("wrong", [{"memory": 0}, {"memory": -1}, {"pairs": 3}])
def test_what_cannot_work_is_refused(wrong):
    with pytest.raises(ConfigError):
        LBFGS(**wrong)
