"""Conformance of every registered compiled rule: a new one is tested by being registered."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pdehvd.config.root import register_builtin
from pdehvd.numerics.vectors import Replicated
from pdehvd.objectives.evaluation import Evaluation
from pdehvd.optimizers.base import RatedSpec
from pdehvd.optimizers.first_order import SGD, Adam, FirstOrderSpec
from pdehvd.spec import registered

register_builtin()
RULES = {n: s for n, s in registered("optimizer").items() if issubclass(s, RatedSpec)}
OF_KERAS = {n: s for n, s in RULES.items() if issubclass(s, FirstOrderSpec)}
START = [1.0, -2.0, 0.5, 3.0]
SCALES = np.array([1.0, 3.0, 0.3, 2.0])


class Quadratic:
    """f = factor sum_i s_i theta_i^2 / 2 of one layer's weights."""

    layout = (("weight", (2, 2)),)
    vectors = Replicated()

    def __init__(self, factor=1.0):
        self.factor = factor

    def evaluate(self, theta):
        scales = tf.constant(self.factor * SCALES, theta.dtype)
        loss = tf.reduce_sum(scales * theta**2) / 2
        return Evaluation(loss, loss[None], scales * theta)


def run(optimizer, theta, steps, factor=1.0):
    state, losses = optimizer.init(theta), []
    for _ in range(steps):
        theta, state, at, facts = optimizer.step(Quadratic(factor), theta, state)
        losses.append(float(at.loss))
    return theta, state, losses, facts


@pytest.mark.parametrize("name", OF_KERAS)
def test_same_steps_as_keras_on_variables(name):
    spec = RULES[name](learning_rate=0.05)
    start = tf.constant(START, tf.float64)
    theta, *_ = run(spec.build(), start, 12)
    keras.config.set_floatx("float64")
    plain = getattr(keras.optimizers, spec.rule)(learning_rate=0.05, **spec.options)
    variable = keras.Variable(start, dtype="float64")
    plain.build([variable])
    for _ in range(12):
        plain.apply([tf.constant(SCALES) * variable.value], [variable])
    keras.config.set_floatx("float32")
    np.testing.assert_allclose(theta, variable.value, rtol=1e-13)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_descends_in_its_own_precision(name, dtype):
    theta, state, losses, facts = run(
        RULES[name](learning_rate=0.05).build(), tf.constant(START, dtype), 30
    )
    assert losses[-1] < losses[0] and theta.dtype == dtype
    assert all(value.dtype in (dtype, tf.int64) for value in state.values())
    assert int(state["iteration"]) == 30
    assert float(facts["learning_rate"]) == pytest.approx(0.05)


@pytest.mark.parametrize("name", RULES)
def test_state_alone_continues_a_run(name):
    spec, start = RULES[name](learning_rate=0.05), tf.constant(START, tf.float64)
    whole, *_ = run(spec.build(), start, 10)
    theta, state, *_ = run(spec.build(), start, 4)
    other = spec.build()
    for _ in range(6):
        theta, state, *_ = other.step(Quadratic(), theta, state)
    np.testing.assert_array_equal(theta, whole)


@pytest.mark.parametrize("largest", [0.5, 100.0])
def test_the_gradient_is_clipped_by_its_norm_over_all_parameters(largest):
    start = tf.constant(START, tf.float64)
    theta, *_ = run(SGD(learning_rate=0.1, clip_norm=largest).build(), start, 1)
    gradient = SCALES * np.array(START)
    gradient *= min(1.0, largest / np.linalg.norm(gradient))
    np.testing.assert_allclose(theta, START - 0.1 * gradient, rtol=1e-14)


FALLING = {"name": "exponential", "initial": 0.2, "decay": 0.5, "every": 3}


@pytest.mark.parametrize("name", ["sgd", "rmsprop"])
def test_momentum_correction_means_that_the_rate_is_not_in_the_velocity(name):
    """v_t = eta_t u_t with u <- m u + d: the form whose velocity knows no rate."""
    # Keras rounds the momentum of SGD to single precision, which 0.875 does not mind.
    spec = RULES[name](learning_rate=FALLING, momentum=0.875, momentum_correction=True)
    theta, state, *_ = run(spec.build(), tf.constant(START, tf.float64), 8)
    plain, u, mean = np.array(START), 0.0, 0.0
    for step in range(8):
        rate, direction = 0.2 * 0.5 ** (step / 3), SCALES * plain
        if name == "rmsprop":
            mean = 0.9 * mean + 0.1 * direction**2
            direction = direction / np.sqrt(mean + spec.epsilon)
        u = 0.875 * u + direction
        plain = plain - rate * u
    np.testing.assert_allclose(theta, plain, rtol=1e-12)
    assert float(state["rate"]) == pytest.approx(rate)
    uncorrected = RULES[name](learning_rate=FALLING, momentum=0.875)
    other, *_ = run(uncorrected.build(), tf.constant(START, tf.float64), 8)
    assert np.max(np.abs(other - theta)) > 1e-3


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "lars"])
def test_momentum_correction_is_nothing_at_a_constant_rate(name):
    start = tf.constant(START, tf.float64)
    specs = [RULES[name](learning_rate=0.05, momentum=0.9, momentum_correction=c) for c in (0, 1)]
    plain, corrected = (run(spec.build(), start, 8)[0] for spec in specs)
    np.testing.assert_array_equal(plain, corrected)


def test_momentum_correction_survives_a_rate_of_zero():
    ending = {"name": "cosine", "initial": 0.1, "steps": 2}
    spec = SGD(learning_rate=ending, momentum=0.9, momentum_correction=True)
    theta, *_ = run(spec.build(), tf.constant(START, tf.float64), 6)
    assert np.all(np.isfinite(theta))


def test_weight_decay_knows_no_scale_of_the_loss():
    """theta <- (1 - eta decay) theta - eta s g: s times the loss is not s times the rate."""
    start, rate, decay, factor = np.array(START), 0.01, 0.5, 8.0

    def moved(rate, factor):
        spec = SGD(learning_rate=rate, weight_decay=decay)
        return run(spec.build(), tf.constant(start), 1, factor)[0].numpy()

    expected = (1 - rate * decay) * start - rate * factor * SCALES * start
    np.testing.assert_allclose(moved(rate, factor), expected, rtol=1e-14)
    gap = moved(rate, factor) - moved(factor * rate, 1.0)
    np.testing.assert_allclose(gap, (factor - 1) * rate * decay * start, rtol=1e-12)


def test_learning_rate_is_exact_in_double_precision():
    *_, facts = run(Adam(learning_rate=0.1).build(), tf.ones([4], tf.float64), 1)
    assert float(facts["learning_rate"]) == 0.1
