import numpy as np
import pytest
import tensorflow as tf

from pdehvd.errors import ConfigError
from pdehvd.models.generator import Generator


def alone(sums, name):
    return sums


def start(dimension=2, **options):
    network = Generator(width=3, depth=2, base=2, **options).build_grid(dimension, 4, 2, "float64")
    random = np.random.default_rng(0)
    theta = [tf.constant(v + 0.1 * random.standard_normal(v.shape)) for v in network.initial(0)]
    return network, theta, tf.constant(random.standard_normal((3, 4)))


@pytest.mark.parametrize("options", [{}, {"remat": True, "up": "bilinear", "norm": "none"}])
@pytest.mark.parametrize("dimension", [2, 3])
def test_gradients_are_those_of_finite_differences(dimension, options):
    options = {**options, "norm": {"name": options.get("norm", "batch")}}
    network, theta, latent = start(dimension, **options)
    shape = (8,) * dimension
    assert network.latent

    def loss(theta):
        return tf.reduce_sum(tf.sin(network.train(theta, latent, alone, shape)[0]))

    with tf.GradientTape() as tape:
        tape.watch(theta)
        value = loss(theta)
    gradient = network.flatten(tape.gradient(value, theta)).numpy()
    along, h = np.random.default_rng(5).standard_normal(network.size), 1e-6
    up, down = (loss(network.split(network.flatten(theta) + s * h * along)) for s in (1, -1))
    assert (up - down).numpy() / (2 * h) == pytest.approx(gradient @ along, rel=3e-6)


def test_fields_have_the_nodes_that_are_asked_for():
    network, theta, latent = start()
    fields, moments = network.train(theta, latent, alone, (8, 8))
    assert fields.shape == (3, 8, 8, 2)
    assert moments.shape == network.initial_moments().shape == (network.moments,)
    np.testing.assert_allclose(network.infer(theta, latent, moments, (8, 8)), fields, rtol=1e-10)
    assert not np.allclose(fields[0], fields[1])
    for call in (network.check, lambda shape: network.train(theta, latent, alone, shape)):
        with pytest.raises(ConfigError, match=r"8 nodes .* not 16") as caught:
            call((8, 16))
        assert caught.value.path == ("depth",)


def test_layout_and_initial_values():
    network = start()[0]
    assert network.layout[0] == ("dense/weight", (4, 2 * 2 * 12))
    values = network.initial(3)
    assert [value.shape for value in values] == [shape for _, shape in network.layout]
    assert sum(value.size for value in values) == network.size
    assert Generator().build_grid(3, 1, 1, "float32").memory((64,) * 3, 2) > 0
    with pytest.raises(ConfigError, match="2 or 3 coordinates"):
        Generator().build_grid(1, 1, 1, "float32")
