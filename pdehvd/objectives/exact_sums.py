"""Exact sums: a rank computes chunk after chunk, and their sum depends on no order.

Nothing is compiled for the number of chunks, so that no fused operation depends on it, and XLA
never sees more of a step than one chunk.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import tensorflow as tf

from pdehvd.comm.aggregation import ExactSum
from pdehvd.comm.exact_totals import exact_total
from pdehvd.comm.group import Group
from pdehvd.models.norm import Reduce
from pdehvd.objectives.batches import PaddedPoints, PointBatch, SampleBatch, Samples, batch_length
from pdehvd.objectives.chunks import Chunks
from pdehvd.objectives.evaluation import Evaluation
from pdehvd.objectives.exact_rows import ExactRowSums
from pdehvd.objectives.lockstep import in_lockstep
from pdehvd.objectives.parts import cut_gradients
from pdehvd.objectives.reducer import Contribution, Function, Shard
from pdehvd.problems.block import Block, Items

Found = TypeVar("Found")


class ExactPointSums:
    """Chunks that hold some items of every block.

    The batch of a rank holds its k chunks, the columns of its data [k, c, ...].
    """

    compiled = False

    def __init__(self, aggregation: ExactSum, group: Group, items: int, dtype: str) -> None:
        self.group = group
        self.chunks = Chunks.of(aggregation.chunks(items), group)
        self._dtype = tf.as_dtype(dtype)

    def span(self, count: int) -> tuple[int, int]:
        """Return this rank's half-open range of `count` items."""
        return self.chunks.span(count)

    def pieces(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which of `count` items each chunk has [k, c], and which of them count [k, c]."""
        index, real = self.chunks.places(count)
        return index + self.span(count)[0], real

    def laid_out(self, items: Items, count: int, dtype: tf.DType) -> PaddedPoints:
        """Return the items in chunks, all columns [k, c, ...]."""

        def chunked(column: np.ndarray) -> tf.Tensor:
            return tf.constant(self.chunks.laid_out(column, count), dtype)

        columns = {name: chunked(column) for name, column in items.extras.items()}
        real = self.chunks.places(count)[1]
        return PaddedPoints(chunked(items.x), columns, tf.constant(real.astype(float), dtype))

    def shards(self, batch: Shard) -> list[Shard]:
        """Return the chunks of a batch, which may be that of all ranks."""
        return [_chunk(batch, number) for number in range(batch_length(batch))]

    def prepared(self, function: Function) -> Function:
        """Return the function of a chunk as a compiled one."""
        compiled: Function = tf.function(function, jit_compile=True, autograph=False)
        return compiled

    def evaluate(
        self,
        contribution: Callable[[PointBatch], tuple[tf.Tensor, tf.Tensor]],
        batch: PointBatch,
        weights: tf.Tensor,
    ) -> Evaluation:
        """Return the global loss and gradient; two collectives."""
        gradients, losses = self._by_chunk(contribution, batch, (self._dtype, self._dtype))
        parts = [gradients[:, None], losses[:, :, None]]
        gradient, losses = exact_total(self.group, parts, self.chunks.count, "step")
        losses = losses[:, 0]
        return Evaluation(_weighted_sum(weights, losses), losses, gradient[0])

    def total(self, function: Callable[[Shard], tf.Tensor], batch: Shard, name: str) -> tf.Tensor:
        """Return the exact sum over chunks of what a function of one gives, [g] or [g, m]."""
        part = self._by_chunk(function, batch, self._dtype)
        shape = part.shape[1:]
        part = tf.reshape(part, [*part.shape[:2], -1])
        (total,) = exact_total(self.group, [part], self.chunks.count, name)
        return tf.reshape(total, shape)

    def in_order(self, values: Sequence[np.ndarray], count: int) -> np.ndarray:
        """Return the values of the rank's items, without those that fill up chunks."""
        return self.chunks.joined(np.stack(values), count)

    def row_reducer(self, blocks: Sequence[Block]) -> ExactRowSums:
        """Return what sums over the rows of these blocks."""
        return ExactRowSums(self.group, self.chunks, blocks)

    def _by_chunk(self, function: Callable[[Shard], Found], shard: Shard, types: object) -> Found:
        """Return what a function of a chunk gives, stacked over this rank's chunks [k, ...].

        `types` are those of the tensors that it gives.
        """
        # Chunks one after another: what one needs is all that is needed at a time.
        stacked: Found = tf.map_fn(
            lambda number: function(_chunk(shard, number)),
            tf.range(self.chunks.own),
            fn_output_signature=types,
            parallel_iterations=1,
        )
        return stacked


def _chunk(batch: Shard, number: int | tf.Tensor) -> Shard:
    """Return one chunk [c, ...] of a batch of columns [k, c, ...]."""
    chunk: Shard = tf.nest.map_structure(lambda column: column[number], batch)
    return chunk


_weighted_sum = tf.function(
    lambda weights, values: tf.reduce_sum(weights * values), jit_compile=True, autograph=False
)


class ExactSampleSums:
    """Chunks of equally many samples, which go through the network in step where it sums.

    All sums over samples are exact, those of batch normalisation too.
    """

    micro_batches = 1

    def __init__(self, aggregation: ExactSum, group: Group, batch: int) -> None:
        self.group = group
        self.chunks = Chunks.of(aggregation.even_chunks(batch), group)
        self._batch = batch

    def places(self) -> list[np.ndarray]:
        """Return the places in the global batch of the samples of each of this rank's chunks."""
        return np.split(np.arange(*self.chunks.span(self._batch)), self.chunks.own)

    def held_out(self, count: int) -> list[np.ndarray]:
        """Return this rank's of `count` held-out samples, chunk by chunk."""
        size = self._batch // self.chunks.count
        firsts = list(range(0, count, size))
        start, stop = self.group.shard(len(firsts))
        return [np.arange(first, min(first + size, count)) for first in firsts[start:stop]]

    def evaluate(
        self,
        contribution: Callable[[Samples, Reduce], Contribution],
        batch: SampleBatch,
        weights: tf.Tensor,
    ) -> Evaluation:
        """Return the global loss, gradient and moments; two collectives besides those of norms."""

        def one(data: Samples, reduce: Reduce) -> Contribution:
            found = contribution(data, reduce)
            return found._replace(gradients=cut_gradients(found.gradients, 1))

        each = self._by_chunk(one, batch)
        gradients = tf.stack([found.gradients[0] for found in each])
        losses = tf.stack([found.losses for found in each])
        parts = [gradients[:, None], losses[:, :, None]]
        gradient, losses = exact_total(self.group, parts, self.chunks.count, "step")
        losses = losses[:, 0]
        # Statistics of the global batch are the same in all chunks.
        moments = each[0].moments
        return Evaluation(tf.reduce_sum(weights * losses), losses, gradient[0], moments)

    def total(
        self, function: Callable[[Shard, Reduce], tf.Tensor], batch: Sequence[Shard], name: str
    ) -> tf.Tensor:
        """Return the exact sum [m] over all chunks; two collectives besides those of norms."""
        return self._total(tf.stack(self._by_chunk(function, batch)), name)

    def total_at(
        self,
        function: Callable[[tf.Tensor, Samples, Reduce], tf.Tensor],
        thetas: tf.Tensor,
        batch: SampleBatch,
        name: str,
    ) -> tf.Tensor:
        """Return the exact sums [K] at several thetas; two collectives besides those of norms."""

        def one(theta: tf.Tensor) -> tf.Tensor:
            return tf.stack(self._by_chunk(functools.partial(function, theta), batch))

        # One after another: their normalisations have collectives of the same names.
        parts = tf.map_fn(one, thetas, parallel_iterations=1)
        parts = tf.ensure_shape(parts, [thetas.shape[0], self.chunks.own])
        return self._total(tf.transpose(parts), name)

    def _by_chunk(
        self, function: Callable[[Shard, Reduce], Found], batch: Sequence[Shard]
    ) -> list[Found]:
        """Return what a function gives for each of this rank's chunks."""
        return in_lockstep([functools.partial(function, data) for data in batch], self._meet)

    def _meet(self, tensors: Sequence[tf.Tensor], name: str) -> tf.Tensor:
        return self._total(tf.stack(tensors), name)

    def _total(self, part: tf.Tensor, name: str) -> tf.Tensor:
        """Return the exact sum [m] over the chunks of all ranks of [k, m], entry by entry."""
        parts, count = [part[:, :, None]], self.chunks.count
        return exact_total(self.group, parts, count, name)[0][:, 0]
