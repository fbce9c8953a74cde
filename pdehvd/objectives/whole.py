"""Whole batches on one process: all points or samples of a round, or fresh ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import tensorflow as tf

from pdehvd.models.network import Network
from pdehvd.objectives import blame
from pdehvd.objectives.base import Whole
from pdehvd.objectives.batches import PointBatch, Samples, to_points
from pdehvd.objectives.discrete import DiscreteLaw
from pdehvd.objectives.parts import count_parts, sum_in_parts
from pdehvd.objectives.point_law import PointLaw
from pdehvd.problems.family import ParametricProblem, Sample
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.sources import FRESH


class PointObjective(Protocol):
    """What is asked of an objective at points."""

    problem: PDEProblem
    network: Network
    law: PointLaw
    dtype: tf.DType

    def shares(self, theta: tf.Tensor, batch: PointBatch) -> list[tf.Tensor]:
        """Return this rank's part of each term's loss."""
        ...


class SampleObjective(Protocol):
    """What is asked of an objective on samples."""

    problem: ParametricProblem
    law: DiscreteLaw
    terms: tuple[str, ...]

    def tensors(self, sample: Sample) -> Samples:
        """Return a sample as tensors in the run's precision."""
        ...

    def solution(
        self, theta: tf.Tensor, moments: tf.Tensor, data: Samples, resolution: int
    ) -> tf.Tensor:
        """Return the fields [B, *n] of samples."""
        ...


def batch(
    objective: PointObjective, round_: int | None, selection: np.ndarray | None
) -> PointBatch:
    """Return all points of a round, with the equations' points that `selection` names.

    Without a round: as many fresh points.
    """
    problem = objective.problem
    if round_ is None:
        sources = [block.source.fresh() for block in problem.blocks]
        fresh = [source.items(FRESH, 0, source.count) for source in sources]
        return [to_points(items, objective.dtype) for items in fresh]
    every = [block.source.items(round_, 0, block.count) for block in problem.blocks]
    if selection is not None:
        every[0] = problem.interior.chosen(round_, selection)
    return [to_points(items, objective.dtype) for items in every]


class WholePoints(Whole):
    """A batch of points; `losses_of` gives the losses [T] of theta and the batch, compiled once."""

    def __init__(
        self, objective: PointObjective, batch: PointBatch, losses_of: Callable[..., tf.Tensor]
    ) -> None:
        self._objective = objective
        self.batch = batch
        self._losses_of = losses_of

    def losses(self, theta: tf.Tensor, moments: tf.Tensor) -> np.ndarray:
        values: np.ndarray = self._losses_of(theta, self.batch).numpy().astype(np.float64)
        return values

    def where_not_finite(self, theta: tf.Tensor, moments: tf.Tensor) -> str:
        return blame.at_points(self._objective.problem, self._objective.network, theta, self.batch)


class WholeSamples(Whole):
    """Samples by their numbers, which go through the network one after another."""

    def __init__(
        self, objective: SampleObjective, numbers: np.ndarray, stream: int, resolution: int
    ) -> None:
        self._objective = objective
        self._numbers: list[int] = numbers.tolist()
        self._stream = stream
        self._resolution = resolution

    def losses(self, theta: tf.Tensor, moments: tf.Tensor) -> np.ndarray:
        """Return the mean loss [1]; the network normalises with its moving averages."""
        found = [self._loss(number, theta, moments) for number in self._numbers]
        return np.array([np.mean([float(loss[0]) for loss, _ in found])])

    def where_not_finite(self, theta: tf.Tensor, moments: tf.Tensor) -> str:
        for number in self._numbers:
            with tf.GradientTape() as tape:
                loss, fields = self._loss(number, theta, moments, tape)
            slopes = tape.gradient(loss, fields)
            problem, term = self._objective.problem, self._objective.terms[0]
            found = blame.at_nodes(problem, term, loss, fields, slopes)
            if found:
                return f"{found} of sample {number}"
        return ""

    def _loss(
        self,
        number: int,
        theta: tf.Tensor,
        moments: tf.Tensor,
        tape: tf.GradientTape | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the loss [1] of a sample and its field [1, *n], which a tape watches."""
        objective = self._objective
        sample = objective.problem.draw(np.array([number]), self._resolution, self._stream)
        data = objective.tensors(sample)
        fields = objective.solution(theta, moments, data, self._resolution)
        if tape is not None:
            tape.watch(fields)
        return objective.law.losses(fields, data.fields), fields


def term_losses(objective: PointObjective, theta: tf.Tensor, batch: PointBatch) -> tf.Tensor:
    """Return the loss of each term [T] on a whole batch."""
    widest = max(shape[-1] for _, shape in objective.network.layout if shape)
    size = widest * objective.law.channels * objective.dtype.size
    parts = count_parts(batch[0].x.shape[0], size)
    (total,) = sum_in_parts(lambda part: (tf.stack(objective.shares(theta, part)),), batch, parts)
    return total
