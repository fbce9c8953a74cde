"""Pyramid: the `pyramid` section, a U-Net that gets finer levels as the grid gets finer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pdehvd.models.convolutional import Convolutional, Depth, check_dimension
from pdehvd.spec import register

if TYPE_CHECKING:
    from pdehvd.models.grid_network import GridNetwork


@register("model")
class Pyramid(Convolutional):
    """A U-Net whose levels belong to resolutions: base, 2 base, .. up to base * 2^depth nodes.

    On a coarser grid the finer levels are inactive; when the grid is refined, the field is
    interpolated. So `training.levels` can do most of the work on coarse grids. Level k has
    width * growth^k channels, at most max_width.
    """

    name: Literal["pyramid"] = "pyramid"
    depth: Depth = Field(5, description="number of times the resolution is halved")
    base: int = Field(2, ge=2, description="nodes along each side of the coarsest grid")

    def build_grid(self, dimension: int, channels: int, outputs: int, dtype: str) -> GridNetwork:
        """Return the network from images with `channels` to `outputs` fields on the same nodes.

        Raises ConfigError where `norm` cannot divide the channels into groups, or outside of two
        and three dimensions.
        """
        check_dimension(dimension)
        from pdehvd.models.pyramid_network import PyramidNetwork

        return PyramidNetwork(self, self.depth, self.base, dimension, channels, outputs, dtype)
