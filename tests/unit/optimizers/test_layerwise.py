"""LARS and LAMB against their formulas, layer by layer, written out in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.comm.group import Solo
from pdehvd.numerics.vectors import Pieces, Replicated
from pdehvd.objectives.evaluation import Evaluation
from pdehvd.optimizers.layerwise import LAMB, LARS

LAYOUT = (("weight", (3, 2)), ("bias", (2,)), ("kernel", (2, 1)))
# The last number is an unknown, behind the layout.
PLACES = {"weight": slice(0, 6), "bias": slice(6, 8), "kernel": slice(8, 10), "rest": slice(10, 11)}
WEIGHTS = ("weight", "kernel")
RATES = {"name": "exponential", "initial": 0.1, "decay": 0.5, "every": 2}
STEPS = 6


class Bowl:
    """A quadratic of different steepness in each parameter."""

    layout = LAYOUT
    vectors = Replicated()

    def __init__(self, factor=1.0):
        self.factor = factor

    def gradient(self, theta):
        return self.factor * np.linspace(0.1, 4.0, 11) * (np.array(theta) - 0.3)

    def evaluate(self, theta):
        gradient = tf.constant(self.gradient(theta))
        loss = tf.reduce_sum(gradient**2)
        return Evaluation(loss, loss[None], gradient)


def start():
    theta = np.random.default_rng(5).standard_normal(11)
    theta[PLACES["bias"]] = 0.0
    return theta


def run(spec, objective, steps=STEPS, theta=None):
    theta = tf.constant(start() if theta is None else theta)
    optimizer = spec.build()
    state = optimizer.init(theta)
    for _ in range(steps):
        theta, state, *_ = optimizer.step(objective, theta, state)
    return theta.numpy()


@pytest.mark.parametrize("corrected", [False, True])
def test_lars_follows_its_formula(corrected):
    spec = LARS(
        learning_rate=RATES,
        momentum=0.8,
        momentum_correction=corrected,
        weight_decay=0.05,
        trust=0.7,
    )
    theta, v, before = start(), np.zeros(11), 0.1
    for step in range(STEPS):
        rate, g = 0.1 * 0.5 ** (step / 2), Bowl().gradient(theta)
        v = 0.8 * v * (rate / before if corrected else 1)
        for name, place in PLACES.items():
            w, d = theta[place], g[place]
            if name in WEIGHTS:
                size = np.linalg.norm(w)
                local = 0.7 * size / (np.linalg.norm(d) + 0.05 * size)
                d = local * (d + 0.05 * w)
            v[place] += rate * d
        theta, before = theta - v, rate
    np.testing.assert_allclose(run(spec, Bowl()), theta, rtol=1e-12)


def test_lamb_follows_its_formula():
    spec = LAMB(learning_rate=RATES, beta_1=0.8, beta_2=0.95, epsilon=1e-4, weight_decay=0.05)
    theta, m, s = start(), np.zeros(11), np.zeros(11)
    for step in range(STEPS):
        rate, g = 0.1 * 0.5 ** (step / 2), Bowl().gradient(theta)
        m, s = 0.8 * m + 0.2 * g, 0.95 * s + 0.05 * g**2
        r = m / (1 - 0.8 ** (step + 1)) / (np.sqrt(s / (1 - 0.95 ** (step + 1))) + 1e-4)
        for name in WEIGHTS:
            place = PLACES[name]
            u = r[place] + 0.05 * theta[place]
            r[place] = np.linalg.norm(theta[place]) / np.linalg.norm(u) * u
        theta = theta - rate * r
    np.testing.assert_allclose(run(spec, Bowl()), theta, rtol=1e-12)


def test_a_layer_moves_by_a_share_of_its_norm():
    before = start()
    for spec in (LARS(learning_rate=0.02), LAMB(learning_rate=0.02)):
        for factor in (1.0, 1e6):
            change = run(spec, Bowl(factor), 1) - before
            for name in WEIGHTS:
                share = np.linalg.norm(change[PLACES[name]]) / np.linalg.norm(before[PLACES[name]])
                assert share == pytest.approx(0.02, rel=1e-5)


@pytest.mark.parametrize("spec", [LARS(learning_rate=0.1), LAMB(learning_rate=0.1)])
def test_weights_of_zero_can_move(spec):
    assert np.all(run(spec, Bowl(), 1, np.zeros(11)) != 0)


def test_the_whole_gradient_is_clipped_before_the_layers_see_it():
    gradient = Bowl().gradient(start())
    spec = LARS(learning_rate=0.1, clip_norm=1e-3)
    bias = (run(spec, Bowl(), 1) - start())[PLACES["bias"]]
    expected = -0.1 * gradient[PLACES["bias"]] * 1e-3 / np.linalg.norm(gradient)
    np.testing.assert_allclose(bias, expected, rtol=1e-12)


class Counting(Solo):
    """One process that notes its sums."""

    def __init__(self):
        self.names = []

    def sum(self, tensors, name):
        self.names.append(name)
        return super().sum(tensors, name)


@pytest.mark.parametrize("spec", [LARS(learning_rate=0.1), LAMB(learning_rate=0.1)])
def test_the_norms_of_all_layers_are_one_sum(spec):
    group, objective = Counting(), Bowl()
    objective.vectors = Pieces(group, (11,))
    np.testing.assert_array_equal(run(spec, objective, 1), run(spec, Bowl(), 1))
    assert group.names == ["vectors.layers"]
