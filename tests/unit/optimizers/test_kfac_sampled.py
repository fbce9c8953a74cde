"""KFAC with sampled curvature: exact for Kronecker products, and it trains convolutions."""

from pathlib import Path

import numpy as np
import pytest

from pdehvd.assembly.build import build_parts
from pdehvd.comm.group import Solo
from pdehvd.config.root import load_config
from pdehvd.errors import ConfigError
from pdehvd.numerics.vectors import Replicated
from pdehvd.objectives.protocols import Point
from pdehvd.optimizers.base import StalledError
from pdehvd.optimizers.kfac import KFAC
from pdehvd.optimizers.kfac_sampled import SampledKFAC, solve_damped
from pdehvd.optimizers.matrices import DividedMatrices
from tests.support.hosts import Member, check_kept, host_of
from tests.support.stored import held

FIELDS = Path(__file__).parents[2] / "parallel" / "fields.yaml"
POINTS = FIELDS.with_name("problem.yaml")
SHAPE = (6, 4)
SIZE = 24 + 4


class Quadratic:
    """(W - 1) : A (x) B (W - 1) / 2 of one weight W [6, 4], and 3 |b - 1|^2 / 2 of a bias b [4]."""

    layout = (("weight", SHAPE), ("bias", (4,)))
    vectors = Replicated()

    def __init__(self, broken=()):
        random = np.random.default_rng(1)
        self.roots = [random.standard_normal((n, n)) for n in SHAPE]
        self.left, self.right = (root @ root.T for root in self.roots)
        self.broken, self.numbers = broken, []

    def evaluate(self, theta):
        weight, bias = theta[:24].reshape(SHAPE) - 1, theta[24:] - 1
        slope = self.left @ weight @ self.right
        loss = float(np.sum(slope * weight) + 3 * bias @ bias) / 2
        return Point(loss, np.array([loss]), np.concatenate([slope.ravel(), 3 * bias]))

    def curvature_sample(self, theta, number):
        self.numbers.append(number)
        if number in self.broken:
            return np.full(SIZE, np.nan)
        random = np.random.default_rng(number)
        weight = self.roots[0] @ random.choice([-1, 1], SHAPE) @ self.roots[1].T
        return np.concatenate([weight.ravel(), np.sqrt(3) * random.choice([-1, 1], 4)])


def run(spec, problem, steps, theta=None, state=None):
    method = spec.build(Solo())
    theta = np.zeros(SIZE) if theta is None else theta
    state = method.init(theta) if state is None else state
    losses = []
    for _ in range(steps):
        theta, state, point, facts = method.step(problem, theta, state)
        losses.append(point.loss)
    assert set(facts) == set(method.facts)
    return np.array(losses), theta, state, method


class Units(Quadratic):
    """Its samples go through all unit vectors, so that their mean is the curvature itself."""

    def curvature_sample(self, theta, number):
        unit = np.eye(24)[number % 24].reshape(SHAPE) * np.sqrt(24)
        weight = self.roots[0] @ unit @ self.roots[1].T
        return np.concatenate([weight.ravel(), np.sqrt(12) * np.eye(4)[number % 4]])


def test_the_mean_of_all_samples_has_the_marginals_of_the_curvature():
    problem = Units()
    _, _, state, _ = run(SampledKFAC(memory_of_factors=1 - 1e-9), problem, 24)
    traces = np.trace(problem.left), np.trace(problem.right)
    np.testing.assert_allclose(state["factor_0_left"], traces[1] * problem.left, rtol=1e-6)
    np.testing.assert_allclose(state["factor_0_right"], traces[0] * problem.right, rtol=1e-6)
    np.testing.assert_allclose(state["square"][24:], 3, rtol=1e-6)
    assert np.isclose(state["curvature"], traces[0] * traces[1] + 12)


@pytest.mark.parametrize("damping", [1e-3, 1.0])
def test_a_layer_is_solved_with_its_damped_product(damping):
    problem, random = Quadratic(), np.random.default_rng(3)
    layers = DividedMatrices(Solo(), 10, ("factor",))
    layers.divide(problem.layout, SIZE)
    weight, bias = layers.own
    traces = np.trace(problem.left), np.trace(problem.right)
    whole = np.kron(problem.left, problem.right)
    state = {
        "factor_0_left": traces[1] * problem.left,
        "factor_0_right": traces[0] * problem.right,
        "square": np.concatenate([np.diag(whole), np.full(4, 3.0)]),
    }
    right = random.standard_normal(SHAPE)
    root, ratio = np.sqrt(traces[0] * traces[1]), np.sqrt(4 / 6)
    damped = np.kron(
        state["factor_0_left"] / root + ratio * np.sqrt(damping) * np.eye(6),
        state["factor_0_right"] / root + np.sqrt(damping) / ratio * np.eye(4),
    )
    expected = np.linalg.solve(damped, right.ravel()).reshape(SHAPE)
    np.testing.assert_allclose(solve_damped(weight, right, state, damping), expected, rtol=1e-9)
    np.testing.assert_allclose(
        solve_damped(bias, np.ones((1, 4)), state, damping), 1 / (3 + damping)
    )


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_the_loss_of_a_unet_falls(precision):
    host, theta = host_of(FIELDS.read_text(), f"precision={precision}")
    start = host.evaluate(theta).loss
    losses, theta, state, _ = run(SampledKFAC(), host, 40, theta)
    assert theta.dtype == precision
    assert {a.dtype for n, a in state.items() if "factor" in n} == {np.dtype(precision)}
    lowest = 0.47
    assert losses[-1] - lowest < 0.5 * (start - lowest)


def test_state_alone_continues_a_run():
    spec, problem = SampledKFAC(), Quadratic()
    _, whole, *_ = run(spec, problem, 11)
    _, half, state, method = run(spec, problem, 6)
    other = spec.build(Solo())
    _, theta, *_ = run(
        spec, problem, 5, half, other.restored(held(method.kept(state)), problem.layout)
    )
    np.testing.assert_array_equal(theta, whole)
    assert problem.numbers == [*range(11), *range(11)]


def test_two_ranks_divide_the_layers_and_their_state():
    spec, problem, board = SampledKFAC(), Quadratic(), {}
    _, expected, whole, _ = run(spec, problem, 1)
    methods = [spec.build(Member(rank, board)) for rank in range(2)]
    states = []
    for method in methods:
        start = np.zeros(SIZE)
        # What a checkpoint brings of the other rank's layers is not kept.
        state = {**method.init(start), "factor_0_left": np.zeros((6, 6))}
        theta, state, *_ = method.step(problem, start, state)
        states.append(state)
    np.testing.assert_allclose(theta, expected, rtol=1e-12)
    assert sum("factor_0_left" in state for state in states) == 1
    check_kept(methods, states, whole)


def test_a_sample_that_is_no_number_makes_it_start_again():
    problem = Quadratic(broken=(3,))
    losses, theta, state, _ = run(SampledKFAC(), problem, 6)
    assert np.all(np.isfinite(theta)) and losses[-1] < losses[0]
    assert problem.numbers == [0, 1, 2, 3, 4, 5, 6]
    assert state["restarts"] == 1 and state["averaged"] == 3 and state["steps"] == 6


def test_it_stalls_where_starting_again_does_not_help():
    with pytest.raises(StalledError, match="no finite direction"):
        run(SampledKFAC(), Quadratic(broken=(3, 4)), 6)


def test_a_layer_that_rests_is_not_averaged():
    """Its first sample counts as much as that of a new run."""
    problem = Quadratic()
    plain = problem.curvature_sample
    rests = np.repeat([0.0, 1.0], [24, 4])
    problem.curvature_sample = lambda theta, n: plain(theta, n) * (rests if n < 50 else 1)
    _, theta, late, _ = run(SampledKFAC(), problem, 51)
    sample = plain(None, 50)[:24]
    np.testing.assert_allclose(late["square"][:24], sample**2, rtol=1e-12)
    assert list(late["samples"]) == [1, 51] and np.abs(theta[:24]).max() < 1


def test_which_method_a_config_gets():
    grid, _ = load_config(FIELDS, ["optimizer={name: kfac, damping: 0.02, learning_rate: 0.1}"])
    (phase,) = build_parts(grid, Solo()).phases
    assert phase.optimizer.spec.damping == 0.02
    assert phase.optimizer.spec.learning_rate.value == 0.1
    points, _ = load_config(POINTS, ["optimizer={name: kfac, learning_rate: 0.1}"])
    with pytest.raises(ConfigError) as caught:
        build_parts(points, Solo())
    assert str(caught.value).startswith("optimizer.learning_rate: steps at points follow")
    linear, _ = load_config(FIELDS, ["problem.energy=u_x", "optimizer=kfac"])
    with pytest.raises(ConfigError, match="minimises sums of squares, but this loss is not one"):
        build_parts(linear, Solo())
    assert KFAC().damping is None
