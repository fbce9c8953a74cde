"""The objective in chunks: the same bits on any number of processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from pdehvd.comm.aggregation import ExactSum
from pdehvd.comm.group import Group
from pdehvd.models.network import Network
from pdehvd.objectives.base import Batch, Evaluation
from pdehvd.objectives.chunks import Chunks
from pdehvd.objectives.objective import PDEObjective
from pdehvd.objectives.parts import Data
from pdehvd.problems.block import Items
from pdehvd.problems.pde import PDEProblem


class ChunkedObjective(PDEObjective):
    """Computes chunk after chunk with one compiled function and adds what they give exactly.

    A chunk holds some items of every block. The batch of a rank holds its k chunks, the columns of
    its data [k, c, ...]. Nothing is compiled for the number of chunks, so that no fused operation
    depends on it, and XLA never sees more of a step than one chunk.
    """

    compiled = False  # type: ignore[assignment]
    aggregation: ExactSum

    def __init__(
        self, problem: PDEProblem, network: Network, group: Group, aggregation: ExactSum, dtype: str
    ) -> None:
        super().__init__(problem, network, group, aggregation, dtype)
        self.chunks = Chunks.of(aggregation.chunks(problem.blocks[0].count), group)
        self._of_losses = tf.function(self._of_losses, jit_compile=True, autograph=False)
        self._of_signed_sums = tf.function(self._of_signed_sums, jit_compile=True, autograph=False)
        self._weighted = tf.function(_weighted_sum, jit_compile=True, autograph=False)

    def _span(self, count: int) -> tuple[int, int]:
        return self.chunks.span(count)

    def _laid_out(self, items: Items, count: int, points_per_item: int) -> dict[str, tf.Tensor]:
        columns = {"x": items.x, **items.extras}
        chunks = self.chunks.laid_out(columns, count, points_per_item)
        return {name: tf.constant(column, self.dtype) for name, column in chunks.items()}

    def evaluate(self, theta: tf.Tensor, batch: Batch, weights: tf.Tensor) -> Evaluation:
        """Return the global loss and gradient; two collectives."""
        types = (self.dtype, self.dtype)
        gradients, losses = self.by_chunk(
            lambda chunk: self._local(theta, chunk, weights), batch, types
        )
        parts = [gradients[:, None], losses[:, :, None]]
        gradient, losses = self.aggregation.total(self.group, parts, self.chunks.count, "step")
        losses = losses[:, 0]
        return Evaluation(self._weighted(weights, losses), losses, gradient[0])

    def pieces(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        index, real = self.chunks.places(count)
        return index + self._span(count)[0], real

    def by_chunk(self, function: Callable[..., Any], shard: Any, types: Any) -> Any:
        """Return what a function of a chunk gives, stacked over this rank's chunks [k, ...]."""

        def one(number: tf.Tensor) -> Any:
            return function(tf.nest.map_structure(lambda column: column[number], shard))

        # Chunks one after another: what one needs is all that is needed at a time.
        numbers = tf.range(self.chunks.own)
        return tf.map_fn(one, numbers, fn_output_signature=types, parallel_iterations=1)

    def _total(self, name: str, function: Callable[..., tf.Tensor], shard: Any) -> tf.Tensor:
        """Return the exact sum over chunks of what a function of one gives, [g] or [g, n]."""
        part = self.by_chunk(function, shard, self.dtype)
        shape = part.shape[1:]
        part = tf.reshape(part, [*part.shape[:2], -1])
        (total,) = self.aggregation.total(self.group, [part], self.chunks.count, name)
        return tf.reshape(total, shape)

    def host_total(self, part: np.ndarray, name: str) -> np.ndarray:
        """Return the exact sum [g, n] over all chunks from those of this rank [k, g, n]."""
        total: np.ndarray = self._host_total(tf.constant(part), name).numpy()
        return total

    @cached_property
    def _host_total(self) -> Any:
        def total(part: tf.Tensor, name: str) -> tf.Tensor:
            return self.aggregation.total(self.group, [part], self.chunks.count, name)[0]

        return tf.function(total, autograph=False)

    def host_total_of_large(
        self, parts: Iterable[np.ndarray], bound: float, name: str
    ) -> np.ndarray:
        """Return the exact sum [n] over all chunks of arrays [n] that exist one at a time."""
        hook, count = self.aggregation, self.chunks.count
        return hook.total_of_large(self.group, parts, bound, count, name)

    def _candidate_errors(self, theta: tf.Tensor, round_: int) -> np.ndarray:
        interior = self.problem.interior
        count = interior.candidates
        items = interior.candidate_items(round_, *self._span(count))
        data = self._laid_out(items, count, 1)
        return self.chunks.joined(self._errors(theta, data).numpy(), count)

    @cached_property
    def _errors(self) -> Any:
        def errors(theta: tf.Tensor, data: Data) -> tf.Tensor:
            return self.by_chunk(lambda c: self._local_error(theta, c[0]), [data], self.dtype)

        return tf.function(errors, autograph=False)


def _weighted_sum(weights: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(weights * values)
