"""A grid network made of stages, the last of which ends in the output."""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from pdehvd.models.blocks import Unit, drawn
from pdehvd.models.grid_network import GridNetwork, Shape
from pdehvd.models.norm import BatchNorm, Reduce
from pdehvd.models.norm_layer import Statistics
from pdehvd.models.parametrized import Layout
from pdehvd.models.stages import Stage

RunStage = Callable[[Stage, Sequence[Tensor]], Tensor]


class StagedNetwork(GridNetwork):
    """What follows from a list of stages; `first` are parameters that come before theirs.

    `dtypes` are those of the run and of convolutions.
    """

    def __init__(
        self, stages: Sequence[Stage], channels: int, dtypes: tuple[str, str], first: Layout = ()
    ) -> None:
        self.stages, self.channels, self.first = tuple(stages), channels, first
        self.dtype, self.compute = dtypes
        self.dimension = len(stages[0].units[0].shape)
        self.outputs = stages[-1].units[-1].outputs
        sizes = (len(stage.layout) for stage in stages)
        ends = itertools.accumulate(sizes, initial=len(first))
        self._slices = {
            stage.name: slice(*ends)
            for stage, ends in zip(self.stages, itertools.pairwise(ends), strict=True)
        }
        norms = [unit.layer.norm for unit in self._averaged]
        self.moments = 2 * sum(unit.outputs for unit in self._averaged)
        if norms and isinstance(norms[0], BatchNorm):
            self.momentum, self.merged = norms[0].momentum, norms[0].sync != "none"

    @property
    def layout(self) -> Layout:
        """What comes first, then the stages in turn; the output is the last."""
        return (*self.first, *(entry for stage in self.stages for entry in stage.layout))

    def initial(self, seed: int) -> list[np.ndarray]:
        """Return random kernels, unit scales, zero shifts and biases, drawn from `seed` only."""
        random = np.random.default_rng(seed)
        return [drawn(random, name, shape).astype(self.dtype) for name, shape in self.layout]

    def initial_moments(self) -> np.ndarray:
        """Return means of zero and variances of one, layer by layer."""
        sizes = [unit.outputs for unit in self._averaged]
        parts = [part for size in sizes for part in (np.zeros(size), np.ones(size))]
        return np.concatenate([np.zeros(0), *parts]).astype(self.dtype)

    def train(
        self,
        parameters: Sequence[Tensor],
        inputs: Tensor,
        reduce: Reduce,
        shape: Shape | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return fields [B, *n, F] and the moments [M] of this batch.

        Stages that take no part have those of the start.
        """
        found: dict[str, tuple[Tensor, Tensor]] = {}

        def run(stage: Stage, images: Sequence[Tensor]) -> Tensor:
            h, used = stage.run(parameters[self._slices[stage.name]], images, reduce)
            for unit, statistics in zip(stage.units, used, strict=True):
                found[unit.layer.name] = statistics.mean[0], statistics.variance[0]
            return h

        fields = self._fields(run, parameters, inputs, shape)
        parts = [tf.zeros([0], self.dtype)]
        for unit in self._averaged:
            start = tf.zeros([unit.outputs], self.dtype), tf.ones([unit.outputs], self.dtype)
            parts.extend(found.get(unit.layer.name, start))
        return fields, tf.concat(parts, axis=0)

    def infer(
        self,
        parameters: Sequence[Tensor],
        inputs: Tensor,
        moments: Tensor,
        shape: Shape | None = None,
    ) -> Tensor:
        """Return fields [B, *n, F] with moving averages [M]."""
        sizes = [size for unit in self._averaged for size in (unit.outputs, unit.outputs)]
        parts = iter(tf.split(moments, sizes) if sizes else [])

        def averages(unit: Unit) -> Statistics | None:
            if not isinstance(unit.layer.norm, BatchNorm):
                return None
            return Statistics(next(parts)[None], next(parts)[None], tf.ones([], tf.float64))

        known = {stage.name: [averages(unit) for unit in stage.units] for stage in self.stages}

        def run(stage: Stage, images: Sequence[Tensor]) -> Tensor:
            return stage.infer(parameters[self._slices[stage.name]], images, known[stage.name])

        return self._fields(run, parameters, inputs, shape)

    def work(self, shape: Shape) -> float:
        """Return 2 prod(k) C_in C operations for every pixel that a unit gives."""
        total = 0.0
        for stage in self.stages:
            sizes = (math.prod(u.shape) * u.inputs * u.outputs for u in stage.units)
            total += 2 * self._pixels(stage, shape) * sum(sizes)
        return total

    def memory(self, shape: Shape, batch: int) -> float:
        """Return bytes: the images of all stages, or of one stage and what joins stages."""
        held, largest = 0.0, 0.0
        for stage in self.stages:
            pixels = batch * self._pixels(stage, shape)
            own = stage.kept * pixels
            held += stage.units[-1].outputs * pixels if stage.remat else own
            largest = max(largest, own)
        held += largest if self.stages[0].remat else 0.0
        result: float = held * tf.as_dtype(self.compute).size
        return result

    def _pixels(self, stage: Stage, shape: Shape) -> float:
        """Return how many pixels of one sample a stage gives; none where it takes no part."""
        result: float = math.prod(shape) / 2 ** (self.dimension * stage.level)
        return result

    @abstractmethod
    def _fields(
        self, run: RunStage, parameters: Sequence[Tensor], inputs: Tensor, shape: Shape | None
    ) -> Tensor:
        """Return the last stage's images [B, *n, F]; `run` runs a stage."""

    @property
    def _averaged(self) -> list[Unit]:
        """The units whose statistics have moving averages."""
        units = [unit for stage in self.stages for unit in stage.units]
        return [unit for unit in units if isinstance(unit.layer.norm, BatchNorm)]
