"""What the benchmark compares with must be the same network."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.assembly.build import build_problem
from pdehvd.config.root import load_config
from pdehvd.kinds.grid import build_grid_network
from pdehvd.objectives.discrete import DiscreteLaw
from scripts.bench import peer_keras
from scripts.shared import machine

SMALL = ["problem.resolution=8", "sampling.batch=2", "training.levels=null"]
MODEL = "{name: unet, depth: 2, width: 4, output: sigmoid, up: %s}"


@pytest.fixture(scope="module", params=["transposed", "bilinear"])
def small(request):
    """Return a shipped config made small, and its problem."""
    settings = [*SMALL, f"model={MODEL % request.param}"]
    config, _ = load_config(Path(machine.ROOT, "configs", "poisson_kl_64.yaml"), settings)
    return config, build_problem(config, 1)


def test_keras_and_our_network_are_one_function(small):
    config, problem = small
    network = build_grid_network(config, problem)
    random = np.random.default_rng(1)
    # Away from the start, where the output is nearly zero whatever comes before it.
    parameters = [
        tf.constant(value + random.normal(0, 0.3, value.shape), tf.float32)
        for value in network.initial(1)
    ]
    model = peer_keras.keras_model(config, problem)
    for weight, value in zip(model.trainable_weights, parameters, strict=True):
        weight.assign(tf.reshape(value, weight.shape))
    images, _ = next(iter(peer_keras.data(problem, DiscreteLaw(problem, tf.float32))))
    ours, _ = network.train(parameters, images, lambda tensor, name: tensor)
    np.testing.assert_allclose(model(images, training=True), ours, atol=1e-5)


def test_the_convolutions_are_those_of_the_network(small):
    config, problem = small
    convolutions = peer_keras.Convolutions(config, problem)
    assert all(gradient is not None for gradient in convolutions())
    layout = build_grid_network(config, problem).layout
    kernels = sum(np.prod(shape) for _, shape in layout if len(shape) > 1)
    assert sum(kernel.shape.num_elements() for kernel in convolutions.kernels) == kernels
