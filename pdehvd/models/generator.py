"""Generator: the `generator` section of a YAML file and the network it builds.

From the numbers that a sample is made of to its solution, as the generators of Radford, Metz and
Chintala (2016), arXiv:1511.06434, make pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import tensorflow as tf
from pydantic import Field, PositiveInt

from pdehvd.errors import ConfigError
from pdehvd.models.blocks import Entrance
from pdehvd.models.convolutional import Convolutional, check_dimension
from pdehvd.models.grid_network import GridNetwork, Shape
from pdehvd.models.staged import RunStage, StagedNetwork
from pdehvd.models.stages import Stage
from pdehvd.spec import register

Tensor = Any


class GeneratorNetwork(StagedNetwork):
    """Vectors [B, m], mixed into `base` nodes along each coordinate, then doubled `depth` times."""

    latent = True

    def __init__(
        self, spec: Generator, dimension: int, channels: int, outputs: int, dtype: str
    ) -> None:
        self.base, self.depth = spec.base, spec.depth
        self._coarse = spec.widths(spec.depth)[-1]
        size = spec.base**dimension * self._coarse
        first = (("latent/weight", (channels, size)), ("latent/bias", (size,)))
        super().__init__(_up(spec, dimension, outputs, dtype), channels, spec.dtypes(dtype), first)

    @property
    def nodes(self) -> int:
        """The one number of nodes along each coordinate that this network gives."""
        return self.base * 2**self.depth

    def check(self, shape: Shape) -> None:
        """Raise ConfigError unless every n is base * 2^depth."""
        if any(n != self.nodes for n in shape):
            raise ConfigError(
                f"{self.base} nodes doubled {self.depth} times are {self.nodes}, not {shape[0]}",
                ("depth",),
                f"a resolution of {self.nodes}, or another base or depth",
            )

    def _fields(
        self, run: RunStage, parameters: Sequence[Tensor], inputs: Tensor, shape: Shape | None
    ) -> Tensor:
        weight, bias = parameters[:2]
        mixed = tf.linalg.matmul(inputs, weight) + bias
        coarse = [inputs.shape[0], *[self.base] * self.dimension, self._coarse]
        image = tf.cast(tf.reshape(mixed, coarse), self.compute)
        for stage in self.stages:
            image = run(stage, [image])
        return image


def _up(spec: Generator, dimension: int, outputs: int, dtype: str) -> list[Stage]:
    widths, compute = spec.widths(spec.depth), spec.dtypes(dtype)[1]
    stages = []
    for level in reversed(range(spec.depth + 1)):
        name, width, lowest = f"up_{level}", widths[level], level == spec.depth
        units = spec.units(name, (width, width, width), dimension, compute)
        if level == 0:
            units = spec.ending(units, outputs, dtype)
        entrance = Entrance() if lowest else Entrance(spec.up, widths[level + 1], width)
        stages.append(Stage(name, level, units, entrance, spec.remat))
    return stages


@register("model")
class Generator(Convolutional):
    """A generator: fields on a grid from the latent numbers of a sample.

    A layer spreads the numbers over `base` nodes along each coordinate, which are doubled `depth`
    times: it serves the resolution base * 2^depth alone. Level k has width * growth^k channels, at
    most max_width.
    """

    latent: ClassVar[bool] = True

    name: Literal["generator"] = "generator"
    base: PositiveInt = Field(4, description="nodes along each coordinate at the coarsest level")
    depth: PositiveInt = Field(4, description="how often the resolution is doubled")

    def build_grid(self, dimension: int, channels: int, outputs: int, dtype: str) -> GridNetwork:
        """Return the network from vectors of `channels` numbers to `outputs` fields.

        Raises ConfigError where `norm` cannot divide the channels into groups, or outside of two
        and three dimensions.
        """
        check_dimension(dimension)
        return GeneratorNetwork(self, dimension, channels, outputs, dtype)
