"""What a rank's batch holds: points of every block, or samples of fields.

They are named tuples of tensors, so that TensorFlow sees through them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import tensorflow as tf

from pdehvd.problems.block import Items


class ItemPoints(NamedTuple):
    """Items of one block: their points x [n k, D] and columns by name [n k], k points an item."""

    x: tf.Tensor
    columns: dict[str, tf.Tensor]

    def masked(self, values: tf.Tensor, axis: int) -> tf.Tensor:
        """Return values, whose axis is that of items: all of them count."""
        return values

    def counted(self, rows: int) -> float:
        """Return how many of the items of as many rows count."""
        return float(rows)


class PaddedPoints(NamedTuple):
    """Points of a chunk, filled up with items that do not count: `real` [n] is 1 or 0."""

    x: tf.Tensor
    columns: dict[str, tf.Tensor]
    real: tf.Tensor

    def masked(self, values: tf.Tensor, axis: int) -> tf.Tensor:
        """Return values with zeros for items that do not count; `axis` is that of items."""
        shape = [1] * values.shape.rank
        shape[axis] = -1
        return values * tf.reshape(self.real, shape)

    def counted(self, rows: int) -> float:
        """Return how many of the items of as many rows count."""
        return float(np.sum(self.real))


BlockPoints = ItemPoints | PaddedPoints
# The points of every block, in their order.
PointBatch = Sequence[BlockPoints]


class Samples(NamedTuple):
    """Inputs of samples: fields by name [b, *n], of size 1 where constant, and numbers [b, Z].

    The latent numbers are those that the fields are made of; Z is 0 where there are none.
    """

    fields: dict[str, tf.Tensor]
    latent: tf.Tensor

    @property
    def size(self) -> int:
        """Number b of samples."""
        return int(self.latent.shape[0])

    @property
    def resolution(self) -> int:
        """Nodes along an axis."""
        return max(int(n) for field in self.fields.values() for n in field.shape[1:])


class SignedSamples(NamedTuple):
    """Samples, and random signs [b, R] for the rows of their curvature."""

    inputs: Samples
    signs: tf.Tensor


# The samples of what is computed at once: one shard, or each of some chunks.
SampleBatch = Sequence[Samples]

Data = TypeVar("Data")


def to_points(items: Items, dtype: tf.DType) -> ItemPoints:
    """Return items as tensors."""
    columns = {name: tf.constant(column, dtype) for name, column in items.extras.items()}
    return ItemPoints(tf.constant(items.x, dtype), columns)


def batch_length(data: object) -> int:
    """Return the length of the first axis of tensors in any structure, that of the first one."""
    return int(tf.nest.flatten(data)[0].shape[0])


def without_items(data: Data) -> Data:
    """Return tensors in any structure with none of their items."""
    none: Data = tf.nest.map_structure(lambda column: column[:0], data)
    return none
