import numpy as np
import pytest
import tensorflow as tf

from pdehvd.errors import ConfigError
from pdehvd.models.convolutions import coarsened, refined
from pdehvd.models.norm import GroupNorm, InstanceNorm, NoNorm
from pdehvd.models.pyramid import Pyramid


def alone(sums, name):
    return sums


def start(dimension=2, moved=0.1, nodes=16, outputs=1, **options):
    """Return a network of three levels above two nodes, its parameters and images."""
    spec = Pyramid(**{"depth": 3, "width": 3, "activation": "tanh", **options})
    network = spec.build_grid(dimension, 2, outputs, "float64")
    random = np.random.default_rng(0)
    theta = [v + moved * random.standard_normal(v.shape) for v in network.initial(0)]
    images = random.standard_normal((3, *(nodes,) * dimension, 2))
    return network, [tf.constant(v) for v in theta], tf.constant(images)


def slopes(network, theta, images):
    """Return the fields, the gradient [P] of a loss of theirs, and the moments."""
    with tf.GradientTape() as tape:
        tape.watch(theta)
        fields, moments = network.train(theta, images, alone)
        loss = tf.reduce_sum(tf.sin(5 * fields))
    kinds = tf.UnconnectedGradients.ZERO
    return loss, network.flatten(tape.gradient(loss, theta, unconnected_gradients=kinds)), moments


def nodes_of(n, dimension):
    return np.stack(np.meshgrid(*[np.linspace(0, 1, n)] * dimension, indexing="ij"), -1)


@pytest.mark.parametrize("dimension", [2, 3])
def test_linear_fields_are_the_same_on_every_grid(dimension):
    def field(n):
        x = nodes_of(n, dimension)
        return tf.constant((1 + x[..., 0] - 2 * x[..., -1] * x[..., 0])[None, ..., None])

    np.testing.assert_allclose(refined(field(6)), field(12), atol=1e-14)
    np.testing.assert_allclose(coarsened(field(12)), field(6), atol=1e-14)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("output", ["linear", "sigmoid"])
def test_a_level_that_comes_in_changes_nothing(dimension, output):
    network, theta, images = start(dimension, moved=0.0, output=output)
    below, _ = network.train(theta, coarsened(images), alone)
    fields, _ = network.train(theta, images, alone)
    raw = below if output == "linear" else tf.math.log(below / (1 - below))
    wanted = refined(raw) if output == "linear" else tf.sigmoid(refined(raw))
    assert np.std(wanted) > 0
    np.testing.assert_allclose(fields, wanted, atol=1e-13)


@pytest.mark.parametrize(
    ("dimension", "options"),
    [
        (2, {"output": "sigmoid"}),
        (2, {"norm": InstanceNorm(), "remat": True, "up": "transposed", "kernel": 5}),
        (2, {"norm": NoNorm(), "output": "tanh", "up": "nearest"}),
        (3, {"norm": GroupNorm(groups=3)}),
    ],
)
def test_gradients_are_those_of_finite_differences(dimension, options):
    network, theta, images = start(dimension, outputs=2, **options)
    _, gradient, _ = slopes(network, theta, images)
    along = np.random.default_rng(5).standard_normal(network.size)
    h, flat = 1e-6, network.flatten(theta)
    up, down = (slopes(network, network.split(flat + s * h * along), images)[0] for s in (1, -1))
    assert (up - down).numpy() / (2 * h) == pytest.approx(np.dot(gradient, along), rel=3e-6)


def test_levels_above_a_grid_rest():
    network, theta, images = start(nodes=8)
    _, gradient, moments = slopes(network, theta, images)
    parts = zip(network.layout, network.split(gradient), strict=True)
    resting = ("enter_0", "down_0", "coarsen_0", "up_0", "correction_0")
    for (name, _), part in parts:
        assert np.any(part) != name.startswith(resting), name
    first = 2 * 3 * 2
    np.testing.assert_array_equal(moments[:first], network.initial_moments()[:first])
    assert moments.shape[0] == network.moments
    assert network.work((8, 8)) < network.work((16, 16))
    assert network.memory((8, 8), 2) < network.memory((16, 16), 2)


def test_remat_needs_less_memory_and_gives_the_same_gradient():
    kept, theta, images = start()
    forgetful, _, _ = start(remat=True)
    assert forgetful.memory((16, 16), 4) < kept.memory((16, 16), 4)
    one, two = slopes(kept, theta, images)[1], slopes(forgetful, theta, images)[1]
    np.testing.assert_allclose(one, two, atol=1e-13 * np.abs(one).max())


def test_inference_with_the_moments_of_a_batch_repeats_its_fields():
    network, theta, images = start()
    fields, moments = network.train(theta, images, alone)
    np.testing.assert_allclose(network.infer(theta, images, moments), fields, atol=1e-10)


@pytest.mark.parametrize("shape", [(32, 32), (12, 12), (1, 1), (16, 8, 6)])
def test_a_grid_between_the_levels_is_refused(shape):
    network = Pyramid(depth=3, width=3).build_grid(len(shape), 1, 1, "float32")
    with pytest.raises(ConfigError, match=r"level") as caught:
        network.check(shape)
    assert caught.value.path == ("depth",)
    assert "2, 4, 8, 16" in caught.value.expected
