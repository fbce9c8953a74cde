"""Conformance of every registered first-order rule: a new one is tested by being registered."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pdehvd.objectives.base import Evaluation
from pdehvd.optimizers.first_order import Adam, FirstOrderSpec
from pdehvd.spec import registered

RULES = {n: s for n, s in registered("optimizer").items() if issubclass(s, FirstOrderSpec)}
SCALES = np.array([1.0, 3.0, 0.3, 2.0])


class Quadratic:
    """f = sum_i s_i theta_i^2 / 2."""

    def evaluate(self, theta):
        scales = tf.constant(SCALES, theta.dtype)
        loss = tf.reduce_sum(scales * theta**2) / 2
        return Evaluation(loss, loss[None], scales * theta)


def run(optimizer, theta, steps):
    state, losses = optimizer.init(theta), []
    for _ in range(steps):
        theta, state, at, facts = optimizer.step(Quadratic(), theta, state)
        losses.append(float(at.loss))
    return theta, state, losses, facts


@pytest.mark.parametrize("name", RULES)
def test_same_steps_as_keras_on_variables(name):
    spec = RULES[name](learning_rate=0.05)
    start = tf.constant([1.0, -2.0, 0.5, 3.0], tf.float64)
    theta, *_ = run(spec.build(), start, 12)
    keras.config.set_floatx("float64")
    options = spec.model_dump(exclude={"name", "steps", "learning_rate", "clip_norm"})
    plain = spec.rule(learning_rate=0.05, **options)
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
        RULES[name](learning_rate=0.05).build(), tf.constant([1.0, -2.0, 0.5, 3.0], dtype), 30
    )
    assert losses[-1] < losses[0] and theta.dtype == dtype
    assert all(value.dtype in (dtype, tf.int64) for value in state.values())
    assert int(state["iteration"]) == 30
    assert float(facts["learning_rate"]) == pytest.approx(0.05)


@pytest.mark.parametrize("name", RULES)
def test_state_alone_continues_a_run(name):
    spec, start = RULES[name](learning_rate=0.05), tf.constant([1.0, -2.0, 0.5, 3.0], tf.float64)
    whole, *_ = run(spec.build(), start, 10)
    theta, state, *_ = run(spec.build(), start, 4)
    other = spec.build()
    for _ in range(6):
        theta, state, *_ = other.step(Quadratic(), theta, state)
    np.testing.assert_array_equal(theta, whole)


def test_the_global_gradient_is_clipped():
    clipped = Adam(learning_rate=0.1, clip_norm=1e-12, epsilon=1e-3).build()
    start = tf.constant([1.0, 1.0, 1.0, 1.0], tf.float64)
    theta, *_ = run(clipped, start, 1)
    assert 0 < np.max(np.abs(theta - start)) < 1e-8


def test_learning_rate_is_exact_in_double_precision():
    *_, facts = run(Adam(learning_rate=0.1).build(), tf.ones([4], tf.float64), 1)
    assert float(facts["learning_rate"]) == 0.1
