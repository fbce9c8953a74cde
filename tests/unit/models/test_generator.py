"""The generator: from latent numbers to fields."""

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.errors import ConfigError
from pdehvd.models.generator import Generator

SPEC = Generator(base=2, depth=2, width=3, max_width=5)


@pytest.mark.parametrize("dimension", [2, 3])
def test_fields_have_the_shape_that_base_and_depth_say(dimension):
    network = SPEC.build_grid(dimension, 4, 1, "float64")
    parameters = [tf.constant(value) for value in network.initial(1)]
    latent = tf.constant(np.random.default_rng(0).standard_normal((3, 4)))
    shape = (8,) * dimension
    network.check(shape)
    fields, moments = network.train(parameters, latent, lambda sums, _: sums, shape)
    assert fields.shape == (3, *shape, 1)
    assert moments.shape == network.initial_moments().shape == (network.moments,)
    again = network.infer(parameters, latent, moments, shape)
    np.testing.assert_allclose(again, fields, atol=1e-10)


def test_the_gradient_reaches_the_first_layer():
    network = SPEC.build_grid(2, 4, 1, "float64")
    latent = tf.constant(np.random.default_rng(0).standard_normal((3, 4)))
    theta = tf.constant(np.concatenate([p.reshape(-1) for p in network.initial(1)]))

    def loss(values):
        fields, _ = network.train(network.split(values), latent, lambda sums, _: sums, (8, 8))
        return tf.reduce_sum(fields**2 + fields)

    with tf.GradientTape() as tape:
        tape.watch(theta)
        value = loss(theta)
    gradient = tape.gradient(value, theta).numpy()
    direction = np.zeros(network.size)
    direction[:40] = np.random.default_rng(2).standard_normal(40)
    slope = (loss(theta + 1e-6 * direction) - loss(theta - 1e-6 * direction)) / 2e-6
    assert np.isclose(gradient @ direction, slope, rtol=1e-6)
    assert np.abs(gradient[:40]).max() > 0


def test_other_resolutions_are_refused():
    with pytest.raises(ConfigError, match="2 nodes doubled 2 times are 8, not 16"):
        SPEC.build_grid(2, 4, 1, "float32").check((16, 16))
