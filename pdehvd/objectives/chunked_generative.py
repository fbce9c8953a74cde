"""Generative models in chunks: the same bits on any number of processes."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from pdehvd.comm.aggregation import ExactSum
from pdehvd.comm.group import Group
from pdehvd.models.grid_network import GridNetwork
from pdehvd.objectives.base import Batch, Evaluation
from pdehvd.objectives.chunks import Chunks
from pdehvd.objectives.generative import GenerativeObjective
from pdehvd.objectives.lockstep import in_lockstep
from pdehvd.problems.family import ParametricProblem
from pdehvd.problems.levels import Schedule


class ChunkedGenerativeObjective(GenerativeObjective):
    """Takes chunk after chunk through the network, in step where a layer needs all samples.

    All sums over samples are exact, those of batch normalisation too. A rank's batch is a list of
    its chunks, which hold equally many samples.
    """

    aggregation: ExactSum

    def __init__(
        self,
        problem: ParametricProblem,
        network: GridNetwork,
        group: Group,
        aggregation: ExactSum,
        dtype: str,
        schedule: Schedule | None = None,
    ) -> None:
        super().__init__(problem, network, group, aggregation, dtype, schedule)
        self.chunks = Chunks.of(aggregation.even_chunks(problem.samples.batch), group)

    def batch(self, round_: int, selection: np.ndarray | None = None) -> Batch:
        indices = self.problem.samples.indices(round_)
        start, stop = self.chunks.span(len(indices))
        own = np.split(indices[start:stop], self.chunks.own)
        return [self._drawn(chunk, round_) for chunk in own]

    def evaluate(self, theta: tf.Tensor, batch: Batch, weights: tf.Tensor) -> Evaluation:
        """Return the global loss, gradient and moments; two collectives besides those of norms."""

        def way(data, reduce):  # type: ignore[no-untyped-def]
            gradients, losses, moments = self._gradients(theta, data, weights, reduce)
            return self.network.flatten(gradients), losses, moments

        ways = [functools.partial(way, data) for data in batch]
        gradients, losses, moments = zip(*in_lockstep(ways, self._meet), strict=True)
        parts = [tf.stack(gradients)[:, None], tf.stack(losses)[:, :, None]]
        gradient, losses = self.aggregation.total(self.group, parts, self.chunks.count, "step")
        losses = losses[:, 0]
        # Statistics of the global batch are the same in all chunks.
        return Evaluation(tf.reduce_sum(weights * losses), losses, gradient[0], moments[0])

    def losses_at(self, thetas: tf.Tensor, batch: Batch, weights: tf.Tensor) -> tf.Tensor:
        def one(theta: tf.Tensor) -> tf.Tensor:
            def way(data, reduce):  # type: ignore[no-untyped-def]
                raw, _ = self._trained(self.network.split(theta), data, reduce)
                return self._weighted_loss(raw, data, weights)

            ways = [functools.partial(way, data) for data in batch]
            return tf.stack(in_lockstep(ways, self._meet))

        # One after another: their normalisations have collectives of the same names.
        parts = tf.map_fn(one, thetas, parallel_iterations=1)
        parts = tf.ensure_shape(parts, [thetas.shape[0], self.chunks.own])
        return self._total(tf.transpose(parts), "losses_at")

    def with_signs(self, batch: Batch, number: int) -> Batch:
        start, stop = self.chunks.span(self.problem.samples.batch)
        places = np.split(np.arange(start, stop), self.chunks.own)
        return [
            self._signed(data, own.tolist(), number)
            for data, own in zip(batch, places, strict=True)
        ]

    def curvature_sample(self, theta: tf.Tensor, batch: Batch, weights: tf.Tensor) -> tf.Tensor:
        def way(data, reduce):  # type: ignore[no-untyped-def]
            return self._curved(theta, data, weights, reduce)

        ways = [functools.partial(way, data) for data in batch]
        return self._total(tf.stack(in_lockstep(ways, self._meet)), "curvature")

    def held_out_chunks(self) -> list[np.ndarray]:
        count, size = self.problem.held_out, self.problem.samples.batch // self.chunks.count
        firsts = list(range(0, count, size))
        start, stop = self.group.shard(len(firsts))
        return [np.arange(first, min(first + size, count)) for first in firsts[start:stop]]

    def _meet(self, tensors: Sequence[tf.Tensor], name: str) -> tf.Tensor:
        return self._total(tf.stack(tensors), name)

    def _total(self, part: tf.Tensor, name: str) -> tf.Tensor:
        """Return the exact sum [n] over the chunks of all ranks of [k, n], entry by entry."""
        parts, count = [part[:, :, None]], self.chunks.count
        return self.aggregation.total(self.group, parts, count, name)[0][:, 0]
