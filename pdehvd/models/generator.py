"""Generator: the `generator` section, a network from latent vectors to fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveInt

from pdehvd.models.convolutional import Convolutional, Depth, check_dimension
from pdehvd.spec import register

if TYPE_CHECKING:
    from pdehvd.models.grid_network import GridNetwork


@register("model")
class Generator(Convolutional):
    """Fields on a grid from the latent vector of a sample, by `depth` doublings of a coarse grid.

    The grid has base * 2^depth nodes along each coordinate; level k has width * growth^k channels,
    at most max_width, and one convolution.
    """

    latent: ClassVar[bool] = True

    name: Literal["generator"] = "generator"
    depth: Depth = Field(4, description="number of times the resolution is doubled")
    base: PositiveInt = Field(4, description="nodes along each side of the coarse grid")

    def build_grid(self, dimension: int, channels: int, outputs: int, dtype: str) -> GridNetwork:
        """Return the network from `channels` latent numbers to `outputs` fields.

        Raises ConfigError where `norm` cannot divide the channels into groups, or outside of two
        and three dimensions.
        """
        check_dimension(dimension)
        from pdehvd.models.generator_network import GeneratorNetwork

        return GeneratorNetwork(self, self.depth, self.base, dimension, channels, outputs, dtype)
