"""The rows of one shard or of one chunk, and their Jacobian at one theta; nothing is global."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from pdehvd.objectives.batches import PointBatch
from pdehvd.objectives.linearization import Linearization
from pdehvd.objectives.slabs import Slab, row_pieces


class ShardRows:
    """The rows rho(theta) [n], `own`, of what is computed at once, and their Jacobian J [n, P]."""

    def __init__(
        self, linear: Linearization, batch: PointBatch, weights: tf.Tensor, theta: tf.Tensor
    ) -> None:
        self._linear = linear
        self._batch = batch
        self._weights = weights
        self.size = int(theta.shape[0])
        rows, self.slabs = linear.rows_and_slabs(theta, batch, weights)
        self.own: np.ndarray = rows.numpy()

    def rows_at(self, theta: np.ndarray) -> np.ndarray:
        """Return the rows [n] at another theta."""
        values: np.ndarray = self._linear.rows(
            tf.constant(theta), self._batch, self._weights
        ).numpy()
        return values

    def jvp(self, direction: np.ndarray) -> np.ndarray:
        """Return J v [n] for v [P]."""
        values: np.ndarray = self._linear.jvp(self.slabs, tf.constant(direction)).numpy()
        return values

    def vjp(self, own: np.ndarray) -> np.ndarray:
        """Return J^T w [P] for w [n]."""
        values: np.ndarray = self._linear.vjp(self.slabs, tf.constant(own)).numpy()
        return values

    def gram(self, directions: np.ndarray) -> np.ndarray:
        """Return J^T J v [m, P] for m vectors v [m, P]."""
        values: np.ndarray = self._linear.gram(self.slabs, tf.constant(directions)).numpy()
        return values

    def row_pieces(self) -> Iterator[np.ndarray]:
        """Return the transposed Jacobian in pieces [P, m] of a few rows."""
        return (piece for slab in self.slabs for piece in row_pieces(slab))

    def kronecker(self, kinds: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """Return flat sums: for each kind of rows, some blocks, and each layer A, B, A's count."""
        flat = []
        for kind in kinds:
            found = zip(self.slabs, self._blocks(), strict=True)
            flat += self._kronecker_of([(slab, at) for slab, at in found if at in kind])
        return flat

    def entry_bound(self) -> float:
        """Return a bound of all entries of J^T J; NaN where there is none."""
        total = 0.0
        for slab in self.slabs:
            total += slab.rows * slab.largest() ** 2
        return 2 * total

    def _blocks(self) -> list[int]:
        """Return the block of each slab."""
        blocks = self._linear.law.problem.blocks
        return [
            index
            for index, (block, data) in enumerate(zip(blocks, self._batch, strict=True))
            if data.x.shape[0] > 0
            for _ in block.formulas.expressions
        ]

    def _kronecker_of(self, slabs: Sequence[tuple[Slab, int]]) -> list[np.ndarray]:
        """Return the sums for one kind of rows: for each layer A, B and A's count."""
        out: list[np.ndarray] = []
        items = [self._batch[at].counted(slab.rows) for slab, at in slabs]
        for number, (before, after) in enumerate(self._linear.shapes):
            layers = [slab.layers[number] for slab, _ in slabs]
            if layers:
                out += [factor.numpy() for factor in self._linear.kronecker(layers)]
            else:
                out += [np.zeros((before, before)), np.zeros((after, after))]
            counts = [x.inputs.shape[0] * n for x, n in zip(layers, items, strict=True)]
            out.append(np.array([sum(counts)]))
        return [part.astype(self.own.dtype).reshape(-1) for part in out]


def parameter_pieces(shards: Sequence[ShardRows], count: int) -> Iterator[np.ndarray]:
    """Return parts of the transposed Jacobian [p, N] of all shards, layer after layer."""
    slabs = [slab.parameter_pieces(count) for shard in shards for slab in shard.slabs]
    for pieces in zip(*slabs, strict=True):
        yield np.concatenate(pieces, 1)
