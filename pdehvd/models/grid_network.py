"""What every network on a grid offers: images in, fields on the same nodes out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.models.norm import Reduce
from pdehvd.models.parametrized import Parametrized

if TYPE_CHECKING:
    from tensorflow import Tensor

Shape = tuple[int, ...]


class GridNetwork(Parametrized):
    """A function from images [B, *n, C] to fields [B, *n, F], pure in its P parameters.

    Where `latent` is true it starts from vectors [B, C] instead, and the nodes are passed. Shapes
    are static. The gradient of a loss that is a sum over ranks is the sum over ranks of the
    gradients of their parts: collectives in the backward pass are the network's own.
    """

    dimension: int
    channels: int
    outputs: int
    latent: bool = False
    # Numbers in the moving averages (means, then variances, layer by layer), and how much of the
    # old ones a step keeps; `merged` says whether ranks with statistics of their own share them.
    moments: int = 0
    momentum: float = 0.0
    merged: bool = True

    @abstractmethod
    def initial_moments(self) -> np.ndarray:
        """Return the moving averages [M] before the first step: means zero, variances one."""

    @abstractmethod
    def train(
        self,
        parameters: Sequence[Tensor],
        inputs: Tensor,
        reduce: Reduce,
        shape: Shape | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return fields [B, *n, F] and the moments [M] of this batch, which have no gradient.

        `reduce(tensor, name)` adds a flat tensor over ranks; every collective has its own name.
        `shape` is *n: needed by a latent network, otherwise that of the images.
        """

    @abstractmethod
    def infer(
        self,
        parameters: Sequence[Tensor],
        inputs: Tensor,
        moments: Tensor,
        shape: Shape | None = None,
    ) -> Tensor:
        """Return fields [B, *n, F], normalised with moving averages [M]; no collective."""

    @abstractmethod
    def check(self, shape: Shape) -> None:
        """Raise ConfigError where the network cannot work with `shape` = *n nodes."""

    @abstractmethod
    def work(self, shape: Shape) -> float:
        """Return the floating-point operations of convolutions for one sample, forwards."""

    @abstractmethod
    def memory(self, shape: Shape, batch: int) -> float:
        """Return about how many bytes of images one training step of `batch` samples holds."""
