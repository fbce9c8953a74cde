"""U-Net: the `unet` section of a YAML file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pdehvd.models.convolutional import Convolutional, Depth, check_dimension
from pdehvd.spec import register

if TYPE_CHECKING:
    from pdehvd.models.grid_network import GridNetwork


@register("model")
class UNet(Convolutional):
    """A U-Net: fields on a grid from fields on the same grid.

    Images are halved `depth` times and doubled as often; level k has width * growth^k channels, at
    most max_width, and two units each way. `down: stride` lets the first convolution of a level
    take every other node; `nearest` and `bilinear` resize and then convolve. Every number of nodes
    is a multiple of 2^depth.
    """

    name: Literal["unet"] = "unet"
    depth: Depth = Field(4, description="number of times the resolution is halved")
    down: Literal["stride", "max_pool", "average_pool"] = "stride"

    def build_grid(self, dimension: int, channels: int, outputs: int, dtype: str) -> GridNetwork:
        """Return the network from images with `channels` to `outputs` fields on the same nodes.

        Raises ConfigError where `norm` cannot divide the channels into groups, or outside of two
        and three dimensions.
        """
        check_dimension(dimension)
        from pdehvd.models.unet_network import UNetwork

        return UNetwork(self, self.depth, self.down, dimension, channels, outputs, dtype)
