"""One process of what `pdehvd train` is compared with: plain Keras, or the convolutions alone.

    .venv/bin/python -m scripts.bench.peer_keras keras CONFIG --steps 12 --out t.json
    .venv/bin/python -m scripts.bench.peer_keras convolutions CONFIG --steps 12 ...

`keras` is the config's U-Net made of Keras's own layers and trained by `fit`: the same shapes and
number of parameters (checked), the same energy, and samples of the same families, drawn before the
clock runs. `convolutions` is a floor: those of the network and nothing between them, forward and
backward, in one graph outside XLA. The JSON has `parameters` and `seconds` of every step but the
first, which compiles.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pdehvd.config.root import Config, load_config
from pdehvd.kinds.grid import GridKind, build_grid_network
from pdehvd.launch.process_setup import configure_threads
from pdehvd.launch.processes_spec import ProcessesSpec
from pdehvd.models.norm import BatchNorm
from pdehvd.models.unet import UNet
from pdehvd.objectives.discrete import DiscreteLaw
from pdehvd.problems.family import TRAINING, ParametricProblem

Tensor = Any
# Batches that alternate: enough not to be constants, cheap to draw.
BATCHES = 2
WAYS = {"default": "auto", "without XLA": False}


def unet(
    image: Tensor,
    widths: Sequence[int],
    unit: Callable[[list[Tensor], int, int], Tensor],
    up: Callable[[Tensor, int], Tensor],
) -> Tensor:
    """Return the last image of a U-Net; `unit(images, width, stride)` and `up(image, width)`."""
    seen = []
    for level, width in enumerate(widths):
        image = unit([image], width, 2 if level else 1)
        image = unit([image], width, 1)
        seen.append(image)
    image = seen.pop()
    for width in reversed(widths[:-1]):
        image = unit([seen.pop(), up(image, width)], width, 1)
        image = unit([image], width, 1)
    return image


def check_spec(spec: Any) -> None:
    """Stop where a config's network is none that is built here."""
    same = isinstance(spec, UNet) and isinstance(spec.norm, BatchNorm)
    if not same or spec.up == "nearest" or (spec.down, spec.compute) != ("stride", None):
        raise SystemExit("only a U-Net with strides, batch normalisation and float32")


def keras_model(config: Config, problem: ParametricProblem) -> keras.Model:
    """Return the config's network as layers of Keras."""
    spec: Any = config.model
    options = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    activation = getattr(keras.activations, spec.activation)
    if spec.activation == "gelu":
        activation = partial(activation, approximate=True)

    def unit(images: list[Tensor], width: int, stride: int) -> Tensor:
        image = images[0] if len(images) == 1 else keras.layers.Concatenate()(images)
        z = keras.layers.Conv2D(width, spec.kernel, stride, **options)(image)
        known = {"momentum": spec.norm.momentum, "epsilon": spec.norm.epsilon}
        return keras.layers.Activation(activation)(keras.layers.BatchNormalization(**known)(z))

    def up(image: Tensor, width: int) -> Tensor:
        if spec.up == "transposed":
            return keras.layers.Conv2DTranspose(width, 2, 2, **options)(image)
        image = keras.layers.Conv2D(width, 1, **options)(image)
        return keras.layers.UpSampling2D(2, interpolation="bilinear")(image)

    shape = (*problem.shape(problem.resolution), len(problem.features))
    inputs = keras.Input(shape, batch_size=problem.samples.batch)
    image = unet(inputs, spec.widths(spec.depth), unit, up)
    outputs = keras.layers.Conv2D(len(problem.fields), 1, activation=spec.output)(image)
    return keras.Model(inputs, outputs)


def data(problem: ParametricProblem, law: DiscreteLaw) -> tf.data.Dataset:
    """Return (images, inputs) without end, both [B, *n, C]; the energy needs the inputs."""
    resolution, drawn = problem.resolution, []
    for round_ in range(BATCHES):
        sample = problem.draw(problem.samples.indices(round_), resolution, TRAINING)
        fields = {name: tf.constant(field, law.dtype) for name, field in sample.fields.items()}
        inputs = tf.stack([fields[name] for name in problem.inputs], -1)
        drawn.append((law.images(fields, resolution), inputs))
    # No generator: TensorFlow's sets a threshold of malloc that makes every large tensor slower.
    batches = tuple(tf.stack(parts) for parts in zip(*drawn, strict=True))
    return tf.data.Dataset.from_tensor_slices(batches).repeat().prefetch(1)


class Clock(keras.callbacks.Callback):
    """When every step ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.ends.append(time.perf_counter())


def run_keras(config: Config, problem: ParametricProblem, steps: int, way: str) -> list[float]:
    """Train with `fit`; return the seconds of each step but the first."""
    law = DiscreteLaw(problem, tf.float32)

    def loss(inputs: Tensor, raw: Tensor) -> Tensor:
        fields = dict(zip(problem.inputs, tf.unstack(inputs, axis=-1), strict=True))
        return law.losses(law.imposed(raw[..., 0], fields), fields)

    model = keras_model(config, problem)
    count = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    expected = build_grid_network(config, problem).size
    if count != expected:
        raise SystemExit(f"{count} parameters in Keras, {expected} here")
    model.compile(keras.optimizers.Adam(2e-3), loss, jit_compile=WAYS[way])
    clock = Clock()
    model.fit(data(problem, law), steps_per_epoch=steps + 1, verbose=0, callbacks=[clock])
    return np.diff(clock.ends).tolist()


def kernels(config: Config, problem: ParametricProblem) -> list[np.ndarray]:
    """Return the network's kernels [*k, C_in, C] in the order of its convolutions."""
    network = build_grid_network(config, problem)
    known = []
    for (name, _), value in zip(network.layout, network.initial(1), strict=True):
        if name.endswith("/up"):
            known.append(value if value.ndim == 4 else value[None, None])
        elif name.startswith("up_") and name.endswith("/unit_0/weight"):
            # Two images side by side are two convolutions whose sum is taken: that is faster.
            known += np.split(value, 2, axis=2)
        elif name.endswith("/weight"):
            known.append(value)
    return known


class Convolutions:
    """The network's convolutions forward and backward; a call returns the gradients.

    There are only convolutions: where an image is resized the chain is cut, and continues
    with numbers of the resized image's shape, both forward and backward.
    """

    def __init__(self, config: Config, problem: ParametricProblem) -> None:
        spec: Any = config.model
        self.widths = spec.widths(spec.depth)
        self.kernels = [tf.constant(kernel) for kernel in kernels(config, problem)]
        batch, n = problem.samples.batch, problem.resolution
        levels = () if spec.up == "transposed" else reversed(range(spec.depth))
        cuts = [(n >> level, self.widths[level]) for level in levels]
        self.images = [_numbers(batch, n, len(problem.features))]
        self.images += [_numbers(batch, m, width) for m, width in cuts]
        self.slopes = [_numbers(batch, m // 2, width) for m, width in cuts]
        self.slopes += [_numbers(batch, n, len(problem.fields))]
        self.step = tf.function(self._step, autograph=False)

    def __call__(self) -> list[Tensor]:
        """Run all convolutions once."""
        return self.step(self.kernels, self.images, self.slopes)

    def _step(
        self, kernels: list[Tensor], images: list[Tensor], slopes: list[Tensor]
    ) -> list[Tensor]:
        rest, (first, *resized) = iter(kernels), images
        ends: list[Tensor] = []

        def unit(images: list[Tensor], width: int, stride: int) -> Tensor:
            parts = [tf.nn.conv2d(one, next(rest), stride, "SAME") for one in images]
            return parts[0] if len(parts) == 1 else tf.add_n(parts)

        def up(image: Tensor, width: int) -> Tensor:
            if resized:
                ends.append(unit([image], width, 1))
                return resized[len(ends) - 1]
            batch, *n, _ = image.shape
            shape = [batch, 2 * n[0], 2 * n[1], width]
            return tf.nn.conv2d_transpose(image, next(rest), shape, 2)

        with tf.GradientTape() as tape:
            tape.watch([kernels, resized])
            ends.append(unit([unet(first, self.widths, unit, up)], 1, 1))
        return tape.gradient(ends, [*kernels, *resized], slopes)


def _numbers(batch: int, n: int, channels: int) -> Tensor:
    random = np.random.default_rng(n)
    return tf.constant(random.standard_normal((batch, n, n, channels), np.float32))


def run_convolutions(config: Config, problem: ParametricProblem, steps: int) -> list[float]:
    """Return the seconds of each step but the first."""
    convolutions = Convolutions(config, problem)
    ends = []
    for _ in range(steps + 1):
        convolutions()
        ends.append(time.perf_counter())
    return np.diff(ends).tolist()


def main() -> None:
    """Run one process and write what was measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=["keras", "convolutions"])
    parser.add_argument("config")
    parser.add_argument("--set", action="append", default=[], help="a.b=value over the config")
    parser.add_argument("--steps", type=int, required=True, help="timed steps")
    parser.add_argument("--way", choices=list(WAYS), default="default", help="how Keras compiles")
    parser.add_argument("--bytes", type=int, help="memory that this process may have")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    if options.bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (options.bytes, options.bytes))
    configure_threads(ProcessesSpec(threads=1))
    config, _ = load_config(options.config, options.set)
    problem = GridKind().build_problem(config, 1)
    check_spec(config.model)
    if options.kind == "keras":
        seconds = run_keras(config, problem, options.steps, options.way)
    else:
        seconds = run_convolutions(config, problem, options.steps)
    parameters = build_grid_network(config, problem).size
    Path(options.out).write_text(json.dumps({"parameters": parameters, "seconds": seconds}))


if __name__ == "__main__":
    main()
