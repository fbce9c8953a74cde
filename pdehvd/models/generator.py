"""Generator: the `generator` section, a network from the numbers a sample is made of to its fields.

The way up of a U-Net alone, from a coarse grid that a dense layer fills; Radford, Metz and Chintala
(2016), arXiv:1511.06434.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import tensorflow as tf
from pydantic import Field, PositiveInt

from pdehvd.errors import ConfigError
from pdehvd.models.convolutional import Convolutional, Depth, check_dimension
from pdehvd.models.grid_network import GridNetwork, Shape
from pdehvd.models.staged import RunStage, StagedNetwork
from pdehvd.spec import register

Tensor = Any


class GeneratorNetwork(StagedNetwork):
    """A dense layer from [B, m] to `base` nodes along each coordinate, and stages up from there."""

    latent = True

    def __init__(
        self, spec: Generator, dimension: int, channels: int, outputs: int, dtype: str
    ) -> None:
        self.nodes = spec.base * 2**spec.depth
        self._coarse = ((spec.base,) * dimension, spec.widths(spec.depth)[-1])
        filled = math.prod(self._coarse[0]) * self._coarse[1]
        first = (("dense/weight", (channels, filled)), ("dense/bias", (filled,)))
        stages = spec.rising(spec.depth, (1, 1), dimension, outputs, dtype)
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


@register("model")
class Generator(Convolutional):
    """Fields on a grid from the random numbers of a sample, by `depth` doublings of a coarse grid.

    The grid has base * 2^depth nodes along each coordinate; level k has width * growth^k channels,
    at most max_width, and one convolution.
    """

    latent: ClassVar[bool] = True

    name: Literal["generator"] = "generator"
    depth: Depth = Field(4, description="how often the resolution is doubled")
    base: PositiveInt = Field(4, description="nodes along each side of the coarse grid")

    def build_grid(self, dimension: int, channels: int, outputs: int, dtype: str) -> GridNetwork:
        """Return the network from `channels` latent numbers to `outputs` fields.

        Raises ConfigError where `norm` cannot divide the channels into groups, or outside of two
        and three dimensions.
        """
        check_dimension(dimension)
        return GeneratorNetwork(self, dimension, channels, outputs, dtype)
