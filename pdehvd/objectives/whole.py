"""Losses of whole batches on one process: all points or samples of a round, or fresh ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from pdehvd.objectives.base import Batch
from pdehvd.objectives.parts import count_parts, sum_in_parts
from pdehvd.problems.sources import FRESH

if TYPE_CHECKING:
    from pdehvd.objectives.generative import GenerativeObjective
    from pdehvd.objectives.objective import PDEObjective


def batch(objective: PDEObjective, round_: int | None, selection: np.ndarray | None) -> Batch:
    """Return all points of a round, with the equations' points that `selection` names.

    Without a round: as many fresh points.
    """
    problem = objective.problem
    if round_ is None:
        sources = [block.source.fresh() for block in problem.blocks]
        return [objective.tensors(source.items(FRESH, 0, source.count)) for source in sources]
    every = [block.source.items(round_, 0, block.count) for block in problem.blocks]
    if selection is not None:
        every[0] = problem.interior.chosen(round_, selection)
    return [objective.tensors(items) for items in every]


def losses(objective: PDEObjective, theta: tf.Tensor, whole: Batch) -> tf.Tensor:
    """Return the loss of each term [T] on a whole batch."""
    widest = max(shape[-1] for _, shape in objective.network.layout if shape)
    size = widest * objective.law.channels * objective.dtype.size
    parts = count_parts(whole[0]["x"].shape[0], size)
    (total,) = sum_in_parts(lambda part: (tf.stack(objective.shares(theta, part)),), whole, parts)
    return total


def mean_loss(
    objective: GenerativeObjective,
    theta: tf.Tensor,
    moments: tf.Tensor,
    numbers: np.ndarray,
    stream: int,
    resolution: int,
) -> np.ndarray:
    """Return the mean loss [1] of samples by their numbers, one sample after another.

    The network normalises with its moving averages.
    """

    def loss(number: int) -> float:
        sample = objective.problem.draw(np.array([number]), resolution, stream)
        data = objective.tensors(sample)
        fields = objective.solution(theta, moments, data, resolution)
        inputs = {name: data[name] for name in sample.fields}
        return float(objective.law.losses(fields, inputs)[0])

    return np.array([np.mean([loss(number) for number in numbers.tolist()])])
