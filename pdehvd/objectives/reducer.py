"""How a rank holds its part of a batch, and how what all ranks compute from theirs is summed.

There are two ways. `local_sums`: a rank computes its shard at once, and one collective adds.
`exact_sums`: a rank computes chunk after chunk, and what they give is added as whole numbers, so
that the bits depend on no number of ranks. An objective is given one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import tensorflow as tf

from pdehvd.comm.group import Group
from pdehvd.models.norm import Reduce
from pdehvd.numerics.cholesky import BlockRows
from pdehvd.objectives.batches import BlockPoints, PointBatch, SampleBatch, Samples
from pdehvd.objectives.evaluation import Evaluation
from pdehvd.objectives.shard_rows import ShardRows
from pdehvd.problems.block import Block, Items

# A batch, one block, samples, or these with numbers for each item: tensors in any structure.
Shard = TypeVar("Shard")
Function = TypeVar("Function", bound=Callable[..., tf.Tensor])


class RowReducer(Protocol):
    """Where this rank's n rows lie among the N of all ranks, and how products are summed."""

    group: Group

    @property
    def rows(self) -> int:
        """Number N of rows of all ranks."""

    @property
    def place(self) -> np.ndarray:
        """Where this rank's rows lie among the N, [n]."""

    def gather(self, own: np.ndarray) -> np.ndarray:
        """Return a vector over all rows [N] from this rank's part [n]."""

    def totals(self, shards: Sequence[Sequence[np.ndarray]], name: str) -> list[np.ndarray]:
        """Return the sums over all shards of what each gives: arrays [m] or [g, m].

        One collective, or two, for all of them.
        """

    def normal(self, shards: Sequence[ShardRows]) -> BlockRows:
        """Return J^T J [P, P] from the rows of this rank's shards."""

    def kernel(
        self, shards: Sequence[ShardRows], everyone: Callable[[], list[ShardRows]]
    ) -> BlockRows:
        """Return J J^T [N, N]; `everyone` linearizes the shards of all ranks."""


class PointReducer(Protocol):
    """The way of summing over points."""

    group: Group

    @property
    def compiled(self) -> bool:
        """Whether XLA may take a loop of whole steps, sums over ranks included."""

    def span(self, count: int) -> tuple[int, int]:
        """Return this rank's half-open range of `count` items."""

    def pieces(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which of `count` items each shard has [k, c], and which of them count [k, c]."""

    def laid_out(self, items: Items, count: int, dtype: tf.DType) -> BlockPoints:
        """Return the items of this rank's span of `count` as its batch holds them."""

    def shards(self, batch: Shard) -> list[Shard]:
        """Return what is computed at once: the batch of a rank, or each of its chunks."""

    def prepared(self, function: Function) -> Function:
        """Return a function of a shard so that its bits depend on nothing but the shard.

        Where that is not promised, the function as it is.
        """

    def evaluate(
        self,
        contribution: Callable[[PointBatch], tuple[tf.Tensor, tf.Tensor]],
        batch: PointBatch,
        weights: tf.Tensor,
    ) -> Evaluation:
        """Return global numbers from what a shard contributes: gradient [P] and losses [T]."""

    def total(self, function: Callable[[Shard], tf.Tensor], batch: Shard, name: str) -> tf.Tensor:
        """Return the sum over all shards of what a function of one gives, [g] or [g, m]."""

    def in_order(self, values: Sequence[np.ndarray], count: int) -> np.ndarray:
        """Return values of this rank's span of `count` items from those of each shard [c]."""

    def row_reducer(self, blocks: Sequence[Block]) -> RowReducer:
        """Return what sums over the rows of these blocks."""


class Contribution(NamedTuple):
    """A shard's part of each parameter's gradient and of the losses [T], and its moments [M]."""

    gradients: list[tf.Tensor]
    losses: tf.Tensor
    moments: tf.Tensor


class SampleReducer(Protocol):
    """The way of summing over samples, whose networks may sum over the batch on their way.

    A rank's batch is a list of shards. Functions get one, and what sums inside the network.
    """

    group: Group
    micro_batches: int

    def places(self) -> list[np.ndarray]:
        """Return the places in the global batch of the samples of each of this rank's shards."""

    def held_out(self, count: int) -> list[np.ndarray]:
        """Return this rank's of `count` held-out samples, as many at a time as memory is for."""

    def evaluate(
        self,
        contribution: Callable[[Samples, Reduce], Contribution],
        batch: SampleBatch,
        weights: tf.Tensor,
    ) -> Evaluation:
        """Return global numbers from what the shards contribute; one or two collectives."""

    def total(
        self, function: Callable[[Shard, Reduce], tf.Tensor], batch: Sequence[Shard], name: str
    ) -> tf.Tensor:
        """Return the sum [m] over all shards of what a function gives."""

    def total_at(
        self,
        function: Callable[[tf.Tensor, Samples, Reduce], tf.Tensor],
        thetas: tf.Tensor,
        batch: SampleBatch,
        name: str,
    ) -> tf.Tensor:
        """Return such sums [K] of numbers at several thetas [K, P]."""
