"""Generator: a network from the latent vector of a sample to its fields.

The way up of a U-Net alone, from a coarse grid that a dense layer fills; Radford, Metz and Chintala
(2016), arXiv:1511.06434.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf
from tensorflow import Tensor

from pdehvd.errors import ConfigError
from pdehvd.models.convolutional import Convolutional
from pdehvd.models.convolutional_stages import rising_stages
from pdehvd.models.grid_network import Shape
from pdehvd.models.staged import RunStage, StagedNetwork


class GeneratorNetwork(StagedNetwork):
    """A dense layer from [B, m] to `base` nodes along each coordinate, and stages up from there."""

    latent = True

    def __init__(
        self,
        spec: Convolutional,
        depth: int,
        base: int,
        dimension: int,
        channels: int,
        outputs: int,
        dtype: str,
    ) -> None:
        self.nodes = base * 2**depth
        self._coarse = ((base,) * dimension, spec.widths(depth)[-1])
        filled = math.prod(self._coarse[0]) * self._coarse[1]
        first = (("dense/weight", (channels, filled)), ("dense/bias", (filled,)))
        stages = rising_stages(spec, depth, (1, 1), dimension, outputs, dtype)
        super().__init__(stages, channels, spec.dtypes(dtype), first)

    def check(self, shape: Shape) -> None:
        """Raise ConfigError unless every n is base * 2^depth."""
        for n in shape:
            if n != self.nodes:
                raise ConfigError(
                    f"a generator makes {self.nodes} nodes along each coordinate, not {n}",
                    ("depth",),
                    f"base * 2^depth = {n}",
                )

    def _fields(
        self, run: RunStage, parameters: Sequence[Tensor], inputs: Tensor, shape: Shape | None
    ) -> Tensor:
        if shape is not None:
            self.check(shape)
        weight, bias = parameters[:2]
        nodes, channels = self._coarse
        image = tf.reshape(tf.matmul(inputs, weight) + bias, [inputs.shape[0], *nodes, channels])
        image = tf.cast(image, self.compute)
        for stage in self.stages:
            image = run(stage, [image])
        return image
