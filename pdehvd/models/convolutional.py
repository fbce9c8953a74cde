"""What the sections of convolutional networks have in common."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator

from pdehvd.errors import ConfigError
from pdehvd.models.blocks import Entrance, Unit
from pdehvd.models.norm import BatchNorm, Layer, NoNorm, Norm
from pdehvd.models.stages import Stage
from pdehvd.spec import Section, Spec

Channels = Annotated[int, Field(ge=1, le=2**20)]
# 2^30 nodes along a side are more than any machine has.
Depth = Annotated[int, Field(ge=1, le=30)]


class Convolutional(Spec):
    """Widths, kernels, normalisation, activation, output and precision of a grid network."""

    kind: ClassVar[str] = "grid"

    width: Channels = Field(16, description="channels at the finest level")
    growth: float = Field(
        2.0, ge=1, le=1000, description="factor on the channels from level to level"
    )
    max_width: Channels = Field(256, description="the most channels of any level")
    kernel: PositiveInt = Field(3, description="nodes along each side of a kernel; odd")
    up: Literal["transposed", "nearest", "bilinear"] = Field(
        "bilinear", description="how the resolution is doubled; bilinear keeps fields smooth"
    )
    norm: Annotated[Norm, Section("norm")] = BatchNorm()
    activation: Literal["gelu", "relu", "swish", "tanh", "leaky_relu"] = "gelu"
    output: Literal["linear", "sigmoid", "tanh"] = "linear"
    remat: bool = Field(False, description="keep little in memory and compute stages twice")
    compute: Literal["float32", "float64", "bfloat16"] | None = Field(
        None, description="precision of convolutions; that of the run when nothing is said"
    )

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ConfigError(f"a kernel of {kernel} nodes has no middle", (), "an odd number")
        return kernel

    def widths(self, depth: int) -> list[int]:
        """Return the channels of levels 0 (finest) to `depth`."""
        return [min(self.max_width, round(self.width * self.growth**k)) for k in range(depth + 1)]

    def dtypes(self, dtype: str) -> tuple[str, str]:
        """Return the dtypes of the run and of convolutions."""
        return dtype, self.compute or dtype

    def units(
        self, name: str, channels: tuple[int, ...], dimension: int, dtype: str, stride: int = 1
    ) -> tuple[Unit, ...]:
        """Return units `NAME/unit_K` from channels to channels, the first one with a stride.

        `dtype` is that of the images in between and at the end. Raises ConfigError where the
        channels cannot be normalised.
        """
        units = []
        for number, (before, after) in enumerate(itertools.pairwise(channels)):
            try:
                self.norm.check(after)
            except ConfigError as error:
                raise error.within("norm") from error
            layer = Layer(self.norm, f"{name}/unit_{number}", self.activation, dtype)
            own = stride if number == 0 else 1
            units.append(Unit(before, after, (self.kernel,) * dimension, layer, own))
        return tuple(units)

    def ending(self, units: tuple[Unit, ...], outputs: int, dtype: str) -> tuple[Unit, ...]:
        """Return the units with the output behind them: every pixel's channels mixed, in `dtype`.

        What the output mixes is in `dtype` too.
        """
        *others, last = units
        layer = last.layer._replace(result=dtype)
        shape = (1,) * len(last.shape)
        output = Unit(last.outputs, outputs, shape, Layer(NoNorm(), "output", self.output, dtype))
        return (*others, dataclasses.replace(last, layer=layer), output)

    def rising(
        self, depth: int, times: tuple[int, ...], dimension: int, outputs: int, dtype: str
    ) -> list[Stage]:
        """Return the stages from level `depth` up to the finest, which has the output behind it.

        The images before, between and behind a stage's units have `times` a level's channels.
        """
        widths, compute = self.widths(depth), self.dtypes(dtype)[1]
        stages = []
        for level in reversed(range(depth)):
            name, width = f"up_{level}", widths[level]
            channels = tuple(width * factor for factor in times)
            units = self.units(name, channels, dimension, compute)
            if level == 0:
                units = self.ending(units, outputs, dtype)
            entrance = Entrance(self.up, widths[level + 1], width)
            stages.append(Stage(name, level, units, entrance, self.remat))
        return stages


def check_dimension(dimension: int) -> None:
    """Raise ConfigError unless images have two or three coordinates."""
    if dimension not in (2, 3):
        message = f"a convolutional network of {dimension} coordinate{'s'[: dimension > 1]}"
        raise ConfigError(message, ("name",), "2 or 3 coordinates")
