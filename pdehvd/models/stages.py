"""Stages: units at one resolution, with one backward pass for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import tensorflow as tf
from tensorflow import Tensor

from pdehvd.models.blocks import Entrance, Unit
from pdehvd.models.norm import Reduce
from pdehvd.models.norm_layer import Statistics
from pdehvd.models.parametrized import Layout
from pdehvd.models.stage_pass import StagePass


@dataclass(frozen=True)
class Stage:
    """Units at one resolution, n / 2^level, of which the first sees images side by side.

    The last of these images comes in through the `entrance`. `leaf` says that the images need no
    gradient.
    """

    name: str
    level: int
    units: tuple[Unit, ...]
    entrance: Entrance = field(default_factory=Entrance)
    remat: bool = False
    leaf: bool = False

    @property
    def layout(self) -> Layout:
        """The layouts of the entrance and of the units in turn."""
        enter = self.entrance.layout(self.name, len(self.units[0].shape))
        return (*enter, *(entry for unit in self.units for entry in unit.layout))

    @property
    def kept(self) -> int:
        """How many numbers a pixel keeps for the backward pass, without `remat`."""
        return self.entrance.outputs + sum(2 * unit.outputs for unit in self.units)

    def run(
        self, parameters: Sequence[Tensor], images: Sequence[Tensor], reduce: Reduce
    ) -> tuple[Tensor, list[Statistics]]:
        """Return the last unit's images and the statistics of all units.

        The gradient is that through the statistics too; parameters get this rank's sums.
        """
        count = len(parameters)

        def run(
            *arguments: Tensor,
        ) -> tuple[tuple[Tensor, ...], Callable[..., list[Tensor | None]]]:
            stage_pass = StagePass(self, arguments[:count], reduce)
            h = stage_pass.forward(arguments[count:], [None] * len(self.units))

            def backward(g: Tensor, *_: Tensor) -> list[Tensor | None]:
                return stage_pass.backward(arguments[count:], g)

            return (h, *(part for found in stage_pass.statistics for part in found)), backward

        h, *flat = tf.custom_gradient(run)(*parameters, *images)
        flat = [tf.stop_gradient(part) for part in flat]
        return h, [Statistics(*flat[k : k + 3]) for k in range(0, len(flat), 3)]

    def infer(
        self,
        parameters: Sequence[Tensor],
        images: Sequence[Tensor],
        averages: Sequence[Statistics | None],
    ) -> Tensor:
        """Return the last unit's images, normalised by moving averages where there are any."""
        return StagePass(self, parameters, lambda sums, _: sums).forward(images, averages)
