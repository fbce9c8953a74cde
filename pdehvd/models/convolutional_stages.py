"""The stages that convolutional networks have in common, from their section."""

from __future__ import annotations

import dataclasses
import itertools

from pdehvd.errors import within
from pdehvd.models.blocks import Entrance, Unit
from pdehvd.models.convolutional import Convolutional
from pdehvd.models.norm import NoNorm
from pdehvd.models.norm_layer import NormLayer
from pdehvd.models.stages import Stage


def convolution_units(
    spec: Convolutional,
    name: str,
    channels: tuple[int, ...],
    dimension: int,
    dtype: str,
    stride: int = 1,
) -> tuple[Unit, ...]:
    """Return units `NAME/unit_K` from channels to channels, the first one with a stride.

    `dtype` is that of the images in between and at the end. Raises ConfigError where the
    channels cannot be normalised.
    """
    units = []
    for number, (before, after) in enumerate(itertools.pairwise(channels)):
        with within("norm"):
            spec.norm.check(after)
        layer = NormLayer(spec.norm, f"{name}/unit_{number}", spec.activation, dtype)
        own = stride if number == 0 else 1
        units.append(Unit(before, after, (spec.kernel,) * dimension, layer, own))
    return tuple(units)


def _ending(
    spec: Convolutional, units: tuple[Unit, ...], outputs: int, dtype: str
) -> tuple[Unit, ...]:
    """Return the units with the output behind them: every pixel's channels mixed, in `dtype`.

    What the output mixes is in `dtype` too.
    """
    *others, last = units
    layer = last.layer._replace(result=dtype)
    shape = (1,) * len(last.shape)
    output = Unit(last.outputs, outputs, shape, NormLayer(NoNorm(), "output", spec.output, dtype))
    return (*others, dataclasses.replace(last, layer=layer), output)


def rising_stages(
    spec: Convolutional,
    depth: int,
    times: tuple[int, ...],
    dimension: int,
    outputs: int,
    dtype: str,
) -> list[Stage]:
    """Return the stages from level `depth` up to the finest, which has the output behind it.

    The images before, between and behind a stage's units have `times` a level's channels.
    """
    widths, compute = spec.widths(depth), spec.dtypes(dtype)[1]
    stages = []
    for level in reversed(range(depth)):
        name, width = f"up_{level}", widths[level]
        channels = tuple(width * factor for factor in times)
        units = convolution_units(spec, name, channels, dimension, compute)
        if level == 0:
            units = _ending(spec, units, outputs, dtype)
        entrance = Entrance(spec.up, widths[level + 1], width)
        stages.append(Stage(name, level, units, entrance, spec.remat))
    return stages
