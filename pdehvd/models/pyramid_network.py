"""Pyramid: a U-Net that gets finer levels as the grid gets finer.

The way up adds a correction to the field of the next coarser level, as in the Laplacian pyramid of
Burt and Adelson (1983); levels come in one after another as in Karras et al. (2018),
arXiv:1710.10196.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from pdehvd.errors import ConfigError, counted
from pdehvd.models.blocks import Entrance, Unit
from pdehvd.models.convolutional import Convolutional
from pdehvd.models.convolutional_stages import convolution_units
from pdehvd.models.convolutions import coarsened, refined
from pdehvd.models.grid_network import Shape
from pdehvd.models.norm import NoNorm
from pdehvd.models.norm_layer import NormLayer
from pdehvd.models.staged import RunStage, StagedNetwork
from pdehvd.models.stages import Stage

_MEETINGS = ("coarsen_", "correction_")
_OUTPUTS = {"linear": tf.identity, "sigmoid": tf.sigmoid, "tanh": tf.tanh}


class PyramidNetwork(StagedNetwork):
    """Levels are counted from the finest, 0, to the coarsest with `base` nodes a side.

    On n nodes the levels above n take no part. A level that comes in changes nothing at first:
    what it tells the coarser ones and its correction start at zero.
    """

    def __init__(
        self,
        spec: Convolutional,
        depth: int,
        base: int,
        dimension: int,
        channels: int,
        outputs: int,
        dtype: str,
    ) -> None:
        self.depth, self.base = depth, base
        down = _down(spec, depth, dimension, channels, dtype)
        up = _up(spec, depth, dimension, outputs, dtype)
        super().__init__([*down, *up], channels, spec.dtypes(dtype))
        self._named = {stage.name: stage for stage in self.stages}
        self._output = _OUTPUTS[spec.output]

    def initial(self, seed: int) -> list[np.ndarray]:
        """Return what every network starts with, and zeros where levels meet."""
        pairs = zip(self.layout, super().initial(seed), strict=True)
        return [0 * value if name.startswith(_MEETINGS) else value for (name, _), value in pairs]

    def check(self, shape: Shape) -> None:
        """Raise ConfigError unless the least n is base 2^k, k <= depth, and all divide by 2^k."""
        halvings = math.log2(min(shape) / self.base)
        fits = halvings.is_integer() and 0 <= halvings <= self.depth
        if not fits or any(n % 2 ** int(halvings) for n in shape):
            choices = [self.base * 2**k for k in range(self.depth + 1)]
            raise ConfigError(
                f"no level of this pyramid has {counted(min(shape), 'node')} along a coordinate",
                ("depth",),
                f"one of {', '.join(map(str, choices))} nodes, or another base or depth",
            )

    def _pixels(self, stage: Stage, shape: Shape) -> float:
        level = stage.level - self._first(shape)
        return math.prod(shape) / 2 ** (self.dimension * level) if level >= 0 else 0.0

    def _first(self, shape: Shape) -> int:
        """Return the finest level that takes part."""
        return self.depth - round(math.log2(min(shape) / self.base))

    def _fields(
        self, run: RunStage, parameters: Sequence[Tensor], inputs: Tensor, shape: Shape | None
    ) -> Tensor:
        shape = tuple(inputs.shape[1:-1])
        self.check(shape)
        stages, levels = self._named, range(self._first(shape), self.depth + 1)
        seen: list[Tensor] = []
        for level in levels:
            image = run(stages[f"enter_{level}"], [tf.cast(inputs, self.compute)])
            if seen:
                image += run(stages[f"coarsen_{level - 1}"], seen[-1:])
            seen.append(run(stages[f"down_{level}"], [image]))
            inputs = coarsened(inputs) if level < self.depth else inputs
        image = seen.pop()
        field = run(stages[_field_of(self.depth, self.depth)], [image])
        for level in reversed(levels[:-1]):
            image = run(stages[f"up_{level}"], [seen.pop(), image])
            field = refined(field) + run(stages[_field_of(level, self.depth)], [image])
        return self._output(field)


def _down(
    spec: Convolutional, depth: int, dimension: int, channels: int, dtype: str
) -> list[Stage]:
    widths, compute = spec.widths(depth), spec.dtypes(dtype)[1]
    stages = []
    for level, width in enumerate(widths):
        name = f"enter_{level}"
        units = convolution_units(spec, name, (channels, width), dimension, compute)
        stages.append(Stage(name, level, units, remat=spec.remat, leaf=True))
        name = f"down_{level}"
        units = convolution_units(spec, name, (width, width), dimension, compute)
        stages.append(Stage(name, level, units, remat=spec.remat))
    shape = (spec.kernel,) * dimension
    for level, pair in enumerate(itertools.pairwise(widths)):
        layer = NormLayer(NoNorm(), f"coarsen_{level}", "linear", compute)
        units = (Unit(*pair, shape, layer, stride=2),)
        stages.append(Stage(layer.name, level + 1, units, remat=spec.remat))
    return stages


def _up(spec: Convolutional, depth: int, dimension: int, outputs: int, dtype: str) -> list[Stage]:
    widths, compute = spec.widths(depth), spec.dtypes(dtype)[1]
    stages = []
    for level in reversed(range(depth + 1)):
        width = widths[level]
        if level < depth:
            name, entrance = f"up_{level}", Entrance(spec.up, widths[level + 1], width)
            units = convolution_units(spec, name, (2 * width, width, width), dimension, compute)
            stages.append(Stage(name, level, units, entrance, spec.remat))
        layer = NormLayer(NoNorm(), _field_of(level, depth), "linear", dtype)
        units = (Unit(width, outputs, (1,) * dimension, layer),)
        stages.append(Stage(layer.name, level, units, remat=spec.remat))
    return stages


def _field_of(level: int, depth: int) -> str:
    """Return the name of what turns a level's images into a field, or its correction."""
    return "output" if level == depth else f"correction_{level}"
