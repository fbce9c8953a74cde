"""The rows of one shard or of one chunk, and their Jacobian at one theta; nothing is global."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from pdehvd.objectives.batches import PointBatch
from pdehvd.objectives.linearization import Linearization, Slab

# Jacobian entries that exist at a time.
_BYTES_AT_ONCE = 2**28


class ShardRows:
    """The rows rho(theta) [n], `own`, of what is computed at once, and their Jacobian J [n, P]."""

    def __init__(
        self, linear: Linearization, batch: PointBatch, weights: tf.Tensor, theta: tf.Tensor
    ) -> None:
        self.linear = linear
        self._batch = batch
        self._weights = weights
        self.size = int(theta.shape[0])
        rows, self.slabs = linear.rows_and_slabs(theta, batch, weights)
        self.own: np.ndarray = rows.numpy()

    def rows_at(self, theta: np.ndarray) -> np.ndarray:
        """Return the rows [n] at another theta."""
        values: np.ndarray = self.linear.rows(
            tf.constant(theta), self._batch, self._weights
        ).numpy()
        return values

    def jvp(self, direction: np.ndarray) -> np.ndarray:
        """Return J v [n] for v [P]."""
        values: np.ndarray = self.linear.jvp(self.slabs, tf.constant(direction)).numpy()
        return values

    def vjp(self, own: np.ndarray) -> np.ndarray:
        """Return J^T w [P] for w [n]."""
        values: np.ndarray = self.linear.vjp(self.slabs, tf.constant(own)).numpy()
        return values

    def gram(self, directions: np.ndarray) -> np.ndarray:
        """Return J^T J v [m, P] for m vectors v [m, P]."""
        values: np.ndarray = self.linear.gram(self.slabs, tf.constant(directions)).numpy()
        return values

    def row_pieces(self) -> Iterator[np.ndarray]:
        """Return the transposed Jacobian in pieces [P, m] of a few rows."""
        return (self._jacobian(piece) for slab in self.slabs for piece in self._cut(slab))

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
            parts = [slab.unknowns] if slab.dense is None else [slab.dense]
            sizes = [float(np.max(np.abs(part), initial=0.0)) for part in parts]
            for inputs, signals in slab.layers:
                sides = [np.max(np.abs(side), axis=(1, 2)) for side in (inputs, signals)]
                sizes.append(float(np.sum(sides[0] * sides[1])))
            total += _width(slab) * max(sizes) ** 2 if np.all(np.isfinite(sizes)) else math.nan
        return 2 * total

    def _blocks(self) -> list[int]:
        """Return the block of each slab."""
        blocks = self.linear.law.problem.blocks
        return [
            index
            for index, (block, data) in enumerate(zip(blocks, self._batch, strict=True))
            if data.x.shape[0] > 0
            for _ in block.expressions
        ]

    def _kronecker_of(self, slabs: Sequence[tuple[Slab, int]]) -> list[np.ndarray]:
        """Return the sums for one kind of rows: for each layer A, B and A's count."""
        out: list[np.ndarray] = []
        items = [self._batch[at].counted(_width(slab)) for slab, at in slabs]
        for number, (before, after) in enumerate(self.linear.shapes):
            layers = [slab.layers[number] for slab, _ in slabs]
            if layers:
                out += [factor.numpy() for factor in self.linear.kronecker(layers)]
            else:
                out += [np.zeros((before, before)), np.zeros((after, after))]
            counts = [x.inputs.shape[0] * n for x, n in zip(layers, items, strict=True)]
            out.append(np.array([sum(counts)]))
        return [part.astype(self.own.dtype).reshape(-1) for part in out]

    def _cut(self, slab: Slab) -> Iterator[Slab]:
        """Cut a slab into such with a Jacobian that is not too large."""
        most = max(_BYTES_AT_ONCE // (self.size * self.own.itemsize), 1)
        width = _width(slab)
        for begin in range(0, width, most):
            yield slab if width <= most else _cut(slab, begin, min(begin + most, width))

    def _jacobian(self, slab: Slab) -> np.ndarray:
        """Return the transposed Jacobian [P, n] of a slab."""
        if slab.dense is not None:
            dense: np.ndarray = slab.dense.numpy()
            return dense
        out = np.empty((self.size, _width(slab)), self.own.dtype)
        for place, layer in zip(self.linear.places, slab.layers, strict=True):
            out[place] = self.linear.transposed(layer).numpy()
        out[self.size - slab.unknowns.shape[0] :] = slab.unknowns.numpy()
        return out


def parameter_pieces(shards: Sequence[ShardRows], count: int) -> Iterator[np.ndarray]:
    """Return parts of the transposed Jacobian [p, N] of all shards, layer after layer."""
    slabs = [slab for shard in shards for slab in shard.slabs]
    if slabs[0].dense is not None:
        dense = [slab.dense.numpy() for slab in slabs if slab.dense is not None]
        yield np.concatenate(dense, 1)
        return
    itemsize, transposed = shards[0].own.itemsize, shards[0].linear.transposed
    for number, first in enumerate(slabs[0].layers):
        width = first.signals.shape[1]
        most = max(_BYTES_AT_ONCE // (count * itemsize * width), 1)
        for begin in range(0, first.inputs.shape[1], most):
            layers = [
                slab.layers[number]._replace(
                    inputs=slab.layers[number].inputs[:, begin : begin + most]
                )
                for slab in slabs
            ]
            yield np.concatenate([transposed(layer).numpy() for layer in layers], 1)
    if slabs[0].unknowns.shape[0]:
        yield np.concatenate([slab.unknowns.numpy() for slab in slabs], 1)


def _width(slab: Slab) -> int:
    """Return the number of rows of a slab."""
    return int((slab.unknowns if slab.dense is None else slab.dense).shape[1])


def _cut(slab: Slab, begin: int, end: int) -> Slab:
    """Return some rows of a slab."""
    if slab.dense is not None:
        return slab._replace(dense=slab.dense[:, begin:end])
    layers = tuple(
        layer._replace(inputs=layer.inputs[..., begin:end], signals=layer.signals[..., begin:end])
        for layer in slab.layers
    )
    return slab._replace(layers=layers, unknowns=slab.unknowns[:, begin:end])
