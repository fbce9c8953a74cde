"""U-Net: the `unet` section of a YAML file and the network it builds.

Ronneberger, Fischer and Brox (2015), arXiv:1505.04597, with zero padding, so that images keep
their size, and normalisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import tensorflow as tf
from pydantic import Field

from pdehvd.errors import ConfigError, counted
from pdehvd.models.blocks import Entrance
from pdehvd.models.convolutional import Convolutional, Depth, check_dimension
from pdehvd.models.grid_network import GridNetwork, Shape
from pdehvd.models.norm import InstanceNorm
from pdehvd.models.staged import RunStage, StagedNetwork
from pdehvd.models.stages import Stage
from pdehvd.spec import register

Tensor = Any


class UNetwork(StagedNetwork):
    """Stages down to n / 2^depth nodes, and up again together with what the way down has seen."""

    def __init__(self, spec: UNet, dimension: int, channels: int, outputs: int, dtype: str) -> None:
        down = _down(spec, dimension, channels, dtype)
        # Next to each level's images are those that the way down has seen.
        up = spec.rising(spec.depth, (2, 1, 1), dimension, outputs, dtype)
        super().__init__([*down, *up], channels, spec.dtypes(dtype))
        self.depth = spec.depth
        self.instances = isinstance(spec.norm, InstanceNorm)

    def check(self, shape: Shape) -> None:
        """Raise ConfigError unless every n is a multiple of 2^depth."""
        factor = 2**self.depth
        for n in shape:
            if n % factor:
                near = [m for m in (n // factor * factor, -(-n // factor) * factor) if m > 0]
                raise ConfigError(
                    f"{counted(n, 'node')} cannot be halved {counted(self.depth, 'time')}",
                    ("depth",),
                    f"a resolution of {' or '.join(map(str, near))}, or a smaller depth",
                )
        if self.instances and all(n == factor for n in shape):
            message = "one node is left at the lowest level, which instances normalise to zero"
            raise ConfigError(message, ("depth",), f"at most {self.depth - 1}")

    def _fields(
        self, run: RunStage, parameters: Sequence[Tensor], inputs: Tensor, shape: Shape | None
    ) -> Tensor:
        self.check(tuple(inputs.shape[1:-1]))
        down, up = self.stages[: self.depth + 1], self.stages[self.depth + 1 :]
        seen = [run(down[0], [tf.cast(inputs, self.compute)])]
        for stage in down[1:]:
            seen.append(run(stage, seen[-1:]))
        image = seen.pop()
        for stage in up:
            image = run(stage, [seen.pop(), image])
        return image


def _down(spec: UNet, dimension: int, channels: int, dtype: str) -> list[Stage]:
    widths, compute = spec.widths(spec.depth), spec.dtypes(dtype)[1]
    first = spec.units("down_0", (channels, widths[0], widths[0]), dimension, compute)
    stages = [Stage("down_0", 0, first, remat=spec.remat, leaf=True)]
    stride, pool = (2, "") if spec.down == "stride" else (1, spec.down)
    for level in range(1, spec.depth + 1):
        name, above, width = f"down_{level}", widths[level - 1], widths[level]
        units = spec.units(name, (above, width, width), dimension, compute, stride)
        entrance = Entrance(pool, above, above) if pool else Entrance()
        stages.append(Stage(name, level, units, entrance, spec.remat))
    return stages


@register("model")
class UNet(Convolutional):
    """A U-Net: fields on a grid from fields on the same grid.

    Images are halved `depth` times and doubled as often; level k has width * growth^k channels, at
    most max_width, and two units each way. `down: stride` lets the first convolution of a level
    take every other node; `nearest` and `bilinear` resize and then convolve. Every number of nodes
    is a multiple of 2^depth.
    """

    name: Literal["unet"] = "unet"
    depth: Depth = Field(4, description="how often the resolution is halved")
    down: Literal["stride", "max_pool", "average_pool"] = "stride"

    def build_grid(self, dimension: int, channels: int, outputs: int, dtype: str) -> GridNetwork:
        """Return the network from images with `channels` to `outputs` fields on the same nodes.

        Raises ConfigError where `norm` cannot divide the channels into groups, or outside of two
        and three dimensions.
        """
        check_dimension(dimension)
        return UNetwork(self, dimension, channels, outputs, dtype)
