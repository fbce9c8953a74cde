"""U-Net: the network that the `unet` section builds.

Ronneberger, Fischer and Brox (2015), arXiv:1505.04597, with zero padding, so that images keep
their size, and normalisation.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
from tensorflow import Tensor

from pdehvd.errors import ConfigError, counted
from pdehvd.models.blocks import Entrance
from pdehvd.models.convolutional import Convolutional
from pdehvd.models.convolutional_stages import convolution_units, rising_stages
from pdehvd.models.grid_network import Shape
from pdehvd.models.norm import InstanceNorm
from pdehvd.models.staged import RunStage, StagedNetwork
from pdehvd.models.stages import Stage


class UNetwork(StagedNetwork):
    """Stages down to n / 2^depth nodes, and up again together with what the way down has seen."""

    def __init__(
        self,
        spec: Convolutional,
        depth: int,
        down: str,
        dimension: int,
        channels: int,
        outputs: int,
        dtype: str,
    ) -> None:
        falling = _falling(spec, depth, down, dimension, channels, dtype)
        # Next to each level's images are those that the way down has seen.
        rising = rising_stages(spec, depth, (2, 1, 1), dimension, outputs, dtype)
        super().__init__([*falling, *rising], channels, spec.dtypes(dtype))
        self.depth = depth
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
            message = "instance normalisation sets the single node of the coarsest level to zero"
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


def _falling(
    spec: Convolutional, depth: int, down: str, dimension: int, channels: int, dtype: str
) -> list[Stage]:
    widths, compute = spec.widths(depth), spec.dtypes(dtype)[1]
    first = convolution_units(spec, "down_0", (channels, widths[0], widths[0]), dimension, compute)
    stages = [Stage("down_0", 0, first, remat=spec.remat, leaf=True)]
    stride, pool = (2, "") if down == "stride" else (1, down)
    for level in range(1, depth + 1):
        name, above, width = f"down_{level}", widths[level - 1], widths[level]
        units = convolution_units(spec, name, (above, width, width), dimension, compute, stride)
        entrance = Entrance(pool, above, above) if pool else Entrance()
        stages.append(Stage(name, level, units, entrance, spec.remat))
    return stages
