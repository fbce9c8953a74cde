"""Local sums: a rank computes its shard at once, and one collective adds over ranks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from pdehvd.comm.aggregation import Aggregation
from pdehvd.comm.group import Group
from pdehvd.models.norm import Reduce
from pdehvd.objectives.batches import Data, ItemPoints, PointBatch, SampleBatch, Samples, to_points
from pdehvd.objectives.evaluation import Evaluation
from pdehvd.objectives.local_rows import LocalRowSums
from pdehvd.objectives.parts import cut_gradients, sum_in_parts
from pdehvd.objectives.reducer import Contribution, Function, Shard
from pdehvd.problems.block import Block, Items


class LocalPointSums:
    """One shard of points a rank; `aggregation` joins gradients, other sums are plain."""

    def __init__(self, aggregation: Aggregation, group: Group) -> None:
        self.group = group
        self._aggregation = aggregation

    @property
    def compiled(self) -> bool:
        """Whether XLA may take a loop of whole steps, sums over ranks included."""
        return self.group.compiles and (self.group.size == 1 or self._aggregation.compiles)

    def span(self, count: int) -> tuple[int, int]:
        """Return this rank's half-open range of `count` items."""
        return self.group.shard(count)

    def pieces(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return this rank's of `count` items as one piece [1, c], all of which count."""
        own = np.arange(*self.span(count))[None]
        return own, np.ones(own.shape, bool)

    def laid_out(self, items: Items, count: int, dtype: tf.DType) -> ItemPoints:
        """Return the items as tensors."""
        return to_points(items, dtype)

    def shards(self, batch: Shard) -> list[Shard]:
        """Return the batch, all of which is computed at once."""
        return [batch]

    def prepared(self, function: Function) -> Function:
        """Return the function as it is."""
        return function

    def evaluate(
        self,
        contribution: Callable[[PointBatch], tuple[tf.Tensor, tf.Tensor]],
        batch: PointBatch,
        weights: tf.Tensor,
    ) -> Evaluation:
        """Return the global loss and gradient; one collective."""
        gradient, losses = contribution(batch)
        gradient, losses = self._aggregation.combine(self.group, gradient, losses)
        return Evaluation(tf.reduce_sum(weights * losses), losses, gradient)

    def total(self, function: Callable[[Shard], tf.Tensor], batch: Shard, name: str) -> tf.Tensor:
        """Return the sum over ranks of what a function of the shard gives."""
        return self.group.sum([function(batch)], name)[0]

    def in_order(self, values: Sequence[np.ndarray], count: int) -> np.ndarray:
        """Return the values of the one shard."""
        (own,) = values
        return own

    def row_reducer(self, blocks: Sequence[Block]) -> LocalRowSums:
        """Return what sums over the rows of these blocks."""
        return LocalRowSums(self.group, blocks)


class LocalSampleSums:
    """One shard of a batch of samples a rank, computed in `micro_batches` parts one by one.

    Gradients leave in `buckets`. `merged` says whether each rank's batch has moments of its own,
    which are averaged then.
    """

    def __init__(
        self,
        aggregation: Aggregation,
        group: Group,
        batch: int,
        merged: bool,
        micro_batches: int = 1,
        buckets: int = 1,
    ) -> None:
        self.group = group
        self.micro_batches = micro_batches
        self._aggregation = aggregation
        self._batch = batch
        self._merged = merged
        self._buckets = buckets

    def places(self) -> list[np.ndarray]:
        """Return the places in the global batch of this rank's samples."""
        return [np.arange(*self.group.shard(self._batch))]

    def held_out(self, count: int) -> list[np.ndarray]:
        """Return this rank's of `count` held-out samples, few at a time."""
        start, stop = self.group.shard(count)
        # Their images must not need more memory than a step.
        size = max(self._batch // self.group.size, 1)
        return [np.arange(first, min(first + size, stop)) for first in range(start, stop, size)]

    def evaluate(
        self,
        contribution: Callable[[Samples, Reduce], Contribution],
        batch: SampleBatch,
        weights: tf.Tensor,
    ) -> Evaluation:
        """Return the global loss, gradient and moments; one collective besides those of norms."""

        def parts(data: Samples) -> tuple[tf.Tensor, ...]:
            found = contribution(data, self._reduce)
            share = tf.constant(self._weight_of_moments(data), found.moments.dtype)
            return *cut_gradients(found.gradients, self._buckets), tf.concat(
                [found.losses, found.moments * share], 0
            )

        *gradients, both = self._local(parts, batch)
        gradient, both = self._aggregation.combine_buckets(self.group, gradients, both)
        terms = weights.shape[0]
        losses = both[:terms]
        return Evaluation(tf.reduce_sum(weights * losses), losses, gradient, both[terms:])

    def total(
        self, function: Callable[[Shard, Reduce], tf.Tensor], batch: Sequence[Shard], name: str
    ) -> tf.Tensor:
        """Return the sum over ranks; one collective besides those of norms."""
        (own,) = self._local(lambda data: (function(data, self._reduce),), batch)
        return self.group.sum([own], name)[0]

    def total_at(
        self,
        function: Callable[[tf.Tensor, Samples, Reduce], tf.Tensor],
        thetas: tf.Tensor,
        batch: SampleBatch,
        name: str,
    ) -> tf.Tensor:
        """Return the sums [K] at several thetas; one collective for all, besides those of norms."""

        def one(theta: tf.Tensor) -> tf.Tensor:
            at = functools.partial(function, theta)
            return self._local(lambda data: (at(data, self._reduce),), batch)[0]

        # One after another: their normalisations have collectives of the same names.
        own = tf.map_fn(one, thetas, parallel_iterations=1)
        return self.group.sum([own], name)[0]

    def _local(
        self, function: Callable[[Data], tuple[tf.Tensor, ...]], batch: Sequence[Data]
    ) -> tuple[tf.Tensor, ...]:
        """Return the sums over the parts of this rank's batch."""
        return sum_in_parts(lambda part: function(part[0]), batch, self.micro_batches)

    def _reduce(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        return self.group.sum([tensor], name)[0]

    def _weight_of_moments(self, data: Samples) -> float:
        """Return this rank's weight in the sum over ranks of the moments."""
        if not self._merged:
            return float(self.group.rank == 0)
        return data.size / self._batch
