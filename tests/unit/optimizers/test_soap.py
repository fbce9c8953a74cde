"""SOAP: Adam that does not care how the parameters of a layer are rotated."""

import numpy as np
import pytest

from pdehvd.comm.group import Solo
from pdehvd.numerics.linalg import eigenvectors
from pdehvd.numerics.vectors import Replicated
from pdehvd.objectives.protocols import Point
from pdehvd.optimizers.soap import SOAP
from tests.support.hosts import Member, check_kept
from tests.support.stored import Held, held

SHAPE = (6, 4)


class Quadratic:
    """sum(scales * (U W V - 1)^2) of one weight W [6, 4], and |b|^2 of a bias b [4]."""

    layout = (("weight", SHAPE), ("bias", (4,)))
    vectors = Replicated()

    def __init__(self, left=None, right=None):
        self.left = np.eye(SHAPE[0]) if left is None else left
        self.right = np.eye(SHAPE[1]) if right is None else right
        self.scales = np.logspace(0, 3, 24).reshape(SHAPE)

    def evaluate(self, theta):
        weight, bias = theta[:24].reshape(SHAPE), theta[24:]
        distance = self.left @ weight @ self.right - 1
        slope = self.left.T @ (2 * self.scales * distance) @ self.right.T
        loss = float(np.sum(self.scales * distance**2) + bias @ bias)
        return Point(loss, np.array([loss]), np.concatenate([slope.ravel(), 2 * bias]))

    def start(self):
        weight = self.left.T @ np.full(SHAPE, 0.3) @ self.right.T
        return np.concatenate([weight.ravel(), np.ones(4)])


def rotation(size, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]


def run(spec, problem, steps, theta=None, state=None):
    method = spec.build(Solo())
    theta = problem.start() if theta is None else theta
    state = method.init(theta) if state is None else state
    losses = []
    for _ in range(steps):
        theta, state, point, facts = method.step(problem, theta, state)
        losses.append(point.loss)
    assert facts == {"learning_rate": pytest.approx(spec.learning_rate.value)}
    return np.array(losses), theta, state


def test_losses_do_not_depend_on_a_rotation_of_the_weight():
    """But for the eigenvectors at the start, which iterations find from the given coordinates."""
    same, other = Quadratic(), Quadratic(rotation(6, 1), rotation(4, 2))
    (plain, *_), (turned, *_) = run(SOAP(), same, 40), run(SOAP(), other, 40)
    np.testing.assert_allclose(turned, plain, rtol=1e-4)
    (plain, *_), (turned, *_) = run(SOAP(largest=1), same, 40), run(SOAP(largest=1), other, 40)
    assert np.abs(turned - plain).max() > 1e-2 * plain[0]


def test_without_rotations_it_is_adam():
    spec, problem = SOAP(largest=1), Quadratic(rotation(6, 1))
    _, theta, state = run(spec, problem, 3)
    assert not any(name.startswith("basis") for name in state)
    expected, mean, square = problem.start(), 0.0, 0.0
    for step in range(1, 4):
        gradient = problem.evaluate(expected).gradient
        mean = 0.95 * mean + 0.05 * gradient
        square = 0.95 * square + 0.05 * gradient**2
        ahead, size = mean / (1 - 0.95**step), np.sqrt(square / (1 - 0.95**step)) + 1e-8
        expected = expected - 3e-3 * ahead / size
    np.testing.assert_allclose(theta, expected, rtol=1e-12)


def test_state_alone_continues_a_run():
    spec, problem = SOAP(every=4), Quadratic(rotation(6, 3))
    _, whole, _ = run(spec, problem, 11)
    _, half, state = run(spec, problem, 6)
    method = spec.build(Solo())
    stored = method.restored(held(method.kept(state)), problem.layout)
    _, theta, _ = run(spec, problem, 5, half, stored)
    np.testing.assert_allclose(theta, whole, rtol=1e-12)


def test_two_ranks_divide_the_layers_and_their_state():
    spec, problem, board = SOAP(), Quadratic(rotation(6, 1)), {}
    _, _, whole = run(spec, problem, 1)
    methods = [spec.build(Member(rank, board)) for rank in range(2)]
    states = []
    for method in methods:
        theta = problem.start()
        theta, state, *_ = method.step(problem, theta, method.init(theta))
        states.append(state)
    np.testing.assert_allclose(theta, run(spec, problem, 1)[1], rtol=1e-12)
    assert not set(states[0]) & set(states[1]) - {"steps", "mean", "square"}
    check_kept(methods, states, whole)
    stored = Held({name: np.asarray(array) for name, array in whole.items()})
    for method, state in zip(methods, states, strict=True):
        again = method.restored(stored, problem.layout)
        assert set(again) == set(state)
        for name, array in state.items():
            np.testing.assert_allclose(again[name], array, rtol=1e-12, err_msg=name)


def test_it_beats_adam_where_scales_are_hidden_by_a_rotation():
    problem = Quadratic(rotation(6, 1), rotation(4, 2))
    turned, *_ = run(SOAP(learning_rate={"name": "constant", "value": 0.02}), problem, 200)
    plain = SOAP(largest=1, learning_rate={"name": "constant", "value": 0.02})
    assert turned[-1] < 0.5 * run(plain, problem, 200)[0][-1]


def test_orthogonal_iteration_finds_the_eigenvectors():
    basis = rotation(5, 4)
    matrix = basis @ np.diag([100.0, 10.0, 1.0, 0.1, 0.01]) @ basis.T
    found = eigenvectors(matrix)
    for _ in range(30):
        found = eigenvectors(matrix, found)
    np.testing.assert_allclose(np.abs(basis.T @ found), np.eye(5), atol=1e-10)


def test_eigenvectors_of_a_singular_matrix_are_no_rounding_errors():
    random = np.random.default_rng(3)
    gradient = random.standard_normal((6, 2))
    matrix = gradient @ gradient.T
    noise = 1e-15 * random.standard_normal((6, 6))
    change = eigenvectors(matrix + noise + noise.T) - eigenvectors(matrix)
    assert np.abs(change).max() < 1e-8
    np.testing.assert_array_equal(eigenvectors(np.zeros((3, 3))), np.eye(3))
