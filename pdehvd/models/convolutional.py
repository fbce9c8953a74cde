"""What the sections of convolutional networks have in common."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator

from pdehvd.errors import ConfigError
from pdehvd.models.norm import BatchNorm, Norm
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
    max_width: Channels = Field(256, description="largest number of channels of any level")
    kernel: PositiveInt = Field(3, description="nodes along each side of a kernel; odd")
    up: Literal["transposed", "nearest", "bilinear"] = Field(
        "bilinear", description="how the resolution is doubled; bilinear keeps fields smooth"
    )
    norm: Annotated[Norm, Section("norm")] = BatchNorm()
    activation: Literal["gelu", "relu", "swish", "tanh", "leaky_relu"] = "gelu"
    output: Literal["linear", "sigmoid", "tanh"] = "linear"
    remat: bool = Field(
        False, description="recompute activations in the backward pass instead of storing them"
    )
    compute: Literal["float32", "float64", "bfloat16"] | None = Field(
        None, description="precision of convolutions; null: that of the run"
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


def check_dimension(dimension: int) -> None:
    """Raise ConfigError unless images have two or three coordinates."""
    if dimension not in (2, 3):
        message = f"a convolutional network of {dimension} coordinate{'s'[: dimension > 1]}"
        raise ConfigError(message, ("name",), "2 or 3 coordinates")
