"""Units (convolution, normalisation, activation) and the ways into a stage of units."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from pdehvd.models.convolutions import doubled, halved, mix, spread
from pdehvd.models.norm import NoNorm
from pdehvd.models.norm_layer import Known, NormLayer, Statistics
from pdehvd.models.parametrized import Layout

Pull = Callable[[Tensor], list[Tensor]]


@dataclass(frozen=True)
class Unit:
    """h = act(norm(convolution of the images)); without normalisation act(convolution + bias).

    `inputs` counts the channels of all images, `shape` is the kernel's [*k].
    """

    inputs: int
    outputs: int
    shape: tuple[int, ...]
    layer: NormLayer
    stride: int = 1

    @property
    def layout(self) -> Layout:
        """`NAME/weight` [*k, C_in, C], then `scale` and `shift` [C], or `bias` [C]."""
        name, per_channel = self.layer.name, (self.outputs,)
        weight = (f"{name}/weight", (*self.shape, self.inputs, self.outputs))
        if isinstance(self.layer.norm, NoNorm):
            return (weight, (f"{name}/bias", per_channel))
        return (weight, (f"{name}/scale", per_channel), (f"{name}/shift", per_channel))

    @property
    def light(self) -> bool:
        """Whether the gradient of its images is cheaper to repeat than to keep."""
        return math.prod(self.shape) == 1

    def known(self, own: Sequence[Tensor], statistics: Statistics) -> Known:
        """Return the coefficients of the normalisation from the unit's parameters."""
        scale, shift = own[1:] if len(own) == 3 else (tf.ones_like(own[1]), own[1])
        return self.layer.known(scale, shift, statistics)

    def gradients(self, kernel: Tensor, totals: Tensor) -> list[Tensor]:
        """Return the gradients of all parameters from the kernel's and `Layer.totals`."""
        shift, scale = tf.unstack(tf.cast(tf.reduce_sum(totals, axis=1), kernel.dtype))
        return [kernel, shift] if isinstance(self.layer.norm, NoNorm) else [kernel, scale, shift]


@dataclass(frozen=True)
class Entrance:
    """How an image is brought to a stage's resolution: `kind` and its channels before and after.

    As it is (empty), half as fine (`max_pool`, `average_pool`), or twice as fine: `transposed`, or
    `nearest` and `bilinear` after the channels were mixed.
    """

    kind: str = ""
    inputs: int = 0
    outputs: int = 0

    def layout(self, name: str, dimension: int) -> Layout:
        """`NAME/up`: [*2, C, C_in] if transposed, [C_in, C] if resized, nothing on other ways."""
        if self.kind == "transposed":
            return ((f"{name}/up", (*(2,) * dimension, self.outputs, self.inputs)),)
        return ((f"{name}/up", (self.inputs, self.outputs)),) if self._resizes else ()

    def run(self, own: Sequence[Tensor], image: Tensor) -> tuple[Tensor, Pull]:
        """Return the image, and what turns its gradient into those of `image` and `own`."""
        if not self.kind:
            return image, lambda g: [g]
        with tf.GradientTape() as tape:
            tape.watch([image, *own])
            changed = self._changed(own, image)
        return changed, lambda g: tape.gradient(changed, [image, *own], g)

    @property
    def _resizes(self) -> bool:
        return self.kind in ("nearest", "bilinear")

    def _changed(self, own: Sequence[Tensor], image: Tensor) -> Tensor:
        if not own:
            return halved(image, self.kind)
        weight = tf.cast(own[0], image.dtype)
        if self.kind == "transposed":
            return spread(image, weight)
        # Mixing and resizing commute; mixing first is four to eight times less work.
        return doubled(mix(image, weight), self.kind)


def drawn(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the initial value of a parameter: He et al. (2015), arXiv:1502.01852, for kernels.

    Scales are one, shifts and biases zero; `output/weight` is small, to start near zero.
    """
    kind = name.rsplit("/", 1)[-1]
    if kind in ("bias", "shift"):
        return np.zeros(shape)
    if kind == "scale":
        return np.ones(shape)
    # A pixel of a transposed convolution with stride two sees one pixel: fan-in is C_in.
    fan_in = shape[-1] if kind == "up" and len(shape) > 2 else math.prod(shape[:-1])
    gain = 1e-2 if name == "output/weight" else 1.0 if kind == "up" else math.sqrt(2)
    return random.standard_normal(shape) * (gain / math.sqrt(fan_in))
