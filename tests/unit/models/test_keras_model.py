import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from pdehvd.errors import ConfigError
from pdehvd.models.keras_model import KerasNetwork
from pdehvd.numerics import jets


def model(dtype="float64", second="float64", dropout=0.0):
    inputs = keras.Input((2,), dtype=dtype)
    hidden = keras.layers.Dense(4, "tanh", dtype=dtype)(inputs)
    hidden = keras.layers.Dropout(dropout, dtype=dtype)(hidden)
    hidden = keras.layers.BatchNormalization(dtype=dtype)(hidden)
    return keras.Model(inputs, keras.layers.Dense(3, dtype=second)(hidden))


class OneField(keras.Model):
    def __init__(self, width):
        super().__init__()
        self.hidden = keras.layers.Dense(width, "tanh", dtype="float64")
        self.last = keras.layers.Dense(1, dtype="float64")

    def get_config(self):
        return {"width": self.hidden.units}

    def call(self, x):
        return self.last(self.hidden(x))


def tensors(network, seed=0):
    return [tf.constant(value) for value in network.initial(seed)]


def test_the_model_is_called_with_the_given_weights():
    network = KerasNetwork(model(dropout=0.5), "float64")
    assert (network.inputs, network.outputs, network.dtype) == (2, 3, "float64")
    weights = tensors(network)
    w0, b0, gamma, beta, w1, b1 = (weight.numpy() for weight in weights)
    x = np.array([[0.1, 0.2], [0.3, -0.4]])
    normal = np.tanh(x @ w0 + b0) / np.sqrt(1 + 1e-3) * gamma + beta
    np.testing.assert_allclose(network.apply(weights, tf.constant(x)), normal @ w1 + b1, rtol=1e-12)


def test_layout_and_flat_vector():
    network = KerasNetwork(model())
    weights = tensors(network)
    assert [tuple(w.shape) for w in weights] == [shape for _, shape in network.layout]
    assert network.layout[0][0].endswith("kernel")
    for one, back in zip(weights, network.split(network.flatten(weights)), strict=True):
        np.testing.assert_array_equal(one, back)


def test_jets_and_their_gradients():
    network = KerasNetwork(model())
    weights = tensors(network)
    plan = jets.plan(2, [(1, 1)], [[((2, 0), 1.0), ((0, 2), 1.0)]])
    x = tf.constant([[0.1, 0.2], [0.3, -0.4]], tf.float64)

    @tf.function(jit_compile=True)
    def loss(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            value = tf.add_n(
                [tf.reduce_sum(c**2) for c in network.jet(network.split(theta), x, plan)]
            )
        return value, tape.gradient(value, theta)

    w0, b0, gamma, _, w1, _ = (weight.numpy() for weight in weights)
    h = np.tanh(x.numpy() @ w0 + b0)
    laplacian = -2 * h * (1 - h**2) * (w0**2).sum(axis=0) / np.sqrt(1 + 1e-3) * gamma
    np.testing.assert_allclose(network.jet(weights, x, plan)[-1], laplacian @ w1, rtol=1e-11)
    theta = network.flatten(weights)
    _, gradient = loss(theta)
    direction = np.random.default_rng(0).normal(size=theta.shape)
    up, down = (loss(theta + sign * 1e-6 * direction)[0] for sign in (1, -1))
    np.testing.assert_allclose((up - down) / 2e-6, np.dot(gradient, direction), rtol=1e-6)


def test_the_start_depends_on_the_seed_only():
    network = KerasNetwork(model())
    keras.utils.set_random_seed(5)
    first = network.initial(1)
    keras.utils.set_random_seed(6)
    again, other = network.initial(1), network.initial(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_the_start_leaves_other_generators_alone():
    network = KerasNetwork(model())
    random.seed(3)
    np.random.seed(3)
    wanted = random.random(), np.random.uniform()
    random.seed(3)
    np.random.seed(3)
    network.initial(1)
    assert (random.random(), np.random.uniform()) == wanted


def test_a_function_that_makes_a_model_of_ones_own_class():
    network = KerasNetwork(lambda: OneField(5), inputs=2)
    weights = tensors(network)
    assert (network.inputs, network.outputs) == (2, 1)
    assert np.array_equal(weights[0], network.initial(0)[0])
    w0, b0, w1, b1 = (weight.numpy() for weight in weights)
    x = np.array([[0.1, 0.2], [0.3, -0.4]])
    wanted = np.tanh(x @ w0 + b0) @ w1 + b1
    np.testing.assert_allclose(network.apply(weights, tf.constant(x)), wanted, rtol=1e-12)


def test_a_model_of_ones_own_class_is_cloned_where_keras_can():
    network = KerasNetwork(OneField(5), inputs=2)
    first, again = network.initial(1), network.initial(1)
    assert [value.shape for value in first] == [(2, 5), (5,), (5, 1), (1,)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_model_that_keras_cannot_clone_needs_a_function():
    class Stubborn(OneField):
        def get_config(self):
            raise NotImplementedError("no config")

    network = KerasNetwork(Stubborn(5), inputs=2)
    with pytest.raises(ConfigError, match=r"no config.*function that makes"):
        network.initial(1)
    assert len(KerasNetwork(lambda: Stubborn(5), inputs=2).initial(1)) == 4


@pytest.mark.parametrize(
    ("make", "dtype", "message"),
    [
        (lambda: keras.Sequential([keras.layers.Dense(3)]), None, "no input shape"),
        (lambda: model("float64", "float32"), None, "mixes dtypes \\(float32, float64\\)"),
        (lambda: model(), "float32", "float32, float64"),
        (lambda: model("float64", "mixed_float16"), None, "mixes dtypes"),
        (lambda: keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), "float64", "mixes"),
        (
            lambda: keras.Sequential([keras.Input((2, 2)), keras.layers.Dense(3)]),
            None,
            "shape \\(None, 2, 2\\)",
        ),
    ],
)
def test_models_that_do_not_fit(make, dtype, message):
    with pytest.raises(ConfigError, match=message):
        KerasNetwork(make(), dtype)
