"""The loss as a sum of squared rows: residuals, J v, J^T w, J^T J and J J^T, all global."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np
import tensorflow as tf

from pdehvd.comm.group import Group
from pdehvd.numerics.cholesky import BlockRows
from pdehvd.numerics.kronecker import Pair
from pdehvd.objectives.base import Batch
from pdehvd.objectives.chunks import REAL
from pdehvd.objectives.linearization import Linearization, Slab
from pdehvd.objectives.parts import Data

# Jacobian entries that exist at a time.
_BYTES_AT_ONCE = 2**28


class LeastSquares:
    """The rows rho(theta) [N] with loss = |rho|^2, and their Jacobian J [N, P] at one theta.

    N counts the rows of all ranks, one for each residual of each item; a rank holds n of them,
    `own`, at the places `place` among the N. Products with J are global, the same bits on every
    rank.
    """

    def __init__(
        self,
        linear: Linearization,
        group: Group,
        batch: Batch,
        whole: Callable[[], Batch],
        weights: tf.Tensor,
        theta: np.ndarray,
    ) -> None:
        self._linear = linear
        self._group = group
        self._batch = batch
        self._whole = whole
        self._weights = weights
        self._theta = tf.constant(theta)
        self.own: np.ndarray = self._linearized()

    def _linearized(self) -> np.ndarray:
        """Return this rank's rows; keep what products with the Jacobian need."""
        rows, self.slabs = self._linear.rows_and_slabs(self._theta, self._batch, self._weights)
        own: np.ndarray = rows.numpy()
        return own

    @property
    def rows(self) -> int:
        """Number N of rows of all ranks."""
        return self._linear.objective.rows

    @cached_property
    def place(self) -> np.ndarray:
        """Where this rank's rows lie among the N: residual after residual, items in order."""
        parts, start = [np.zeros(0, int)], 0
        for block in self._linear.objective.problem.blocks:
            low, high = self._group.shard(block.count)
            for _ in block.expressions:
                parts.append(np.arange(start + low, start + high))
                start += block.count
        return np.concatenate(parts)

    def gather(self, own: np.ndarray) -> np.ndarray:
        """Return a vector over all rows [N] from this rank's part [n]."""
        total = np.zeros(self.rows, own.dtype)
        total[self.place] = own
        return self._group.sum_numpy(total, "rows")

    @cached_property
    def gradient(self) -> np.ndarray:
        """J^T rho [P], half the gradient of the loss."""
        return self.vjp(self.own)

    def rows_at(self, theta: np.ndarray) -> np.ndarray:
        """Return this rank's rows [n] at another theta; no collective."""
        values: np.ndarray = self._linear.rows(
            tf.constant(theta), self._batch, self._weights
        ).numpy()
        return values

    def jvp(self, direction: np.ndarray) -> np.ndarray:
        """Return this rank's rows [n] of J v for v [P]; no collective."""
        values: np.ndarray = self._linear.jvp(self.slabs, tf.constant(direction)).numpy()
        return values

    def vjp(self, own: np.ndarray) -> np.ndarray:
        """Return J^T w [P] from this rank's part [n] of w; one collective."""
        part = self._linear.vjp(self.slabs, tf.constant(own)).numpy()
        return self._group.sum_numpy(part, "vjp")

    def gram(self, directions: np.ndarray) -> np.ndarray:
        """Return J^T J v [m, P] for m vectors v [m, P]; one collective for all of them."""
        parts = self._linear.gram(self.slabs, tf.constant(directions)).numpy()
        return self._group.sum_numpy(parts, f"gram.{len(directions)}")

    def agreed(self, vector: np.ndarray) -> np.ndarray:
        """Return rank 0's vector, where unlike processors may have rounded differently."""
        return self._group.broadcast_numpy(vector, 0, "agreed")

    def normal(self) -> BlockRows:
        """Return J^T J [P, P]; one collective."""
        size = len(self._theta)
        roots = (self._jacobian(piece, size) for piece in self._pieces(self.slabs, size))
        return BlockRows.gram(roots, self._group)

    def kernel(self) -> BlockRows:
        """Return J J^T [N, N].

        Every rank linearizes all rows, which is cheap, and computes its own blocks, which are not.
        """
        slabs = self.slabs
        if self._group.size > 1:
            slabs = self._linear.rows_and_slabs(self._theta, self._whole(), self._weights)[1]
        dtype = np.dtype(self._theta.dtype.as_numpy_dtype)
        result = BlockRows.zeros(self.rows, dtype, self._group)
        for piece in self.parameter_pieces(slabs, self.rows):
            for number, block in result.own.items():
                start, stop = result.spans[number]
                block += piece[:, start:stop].T @ piece[:, start:]
        return result

    def products(self, own: Sequence[np.ndarray]) -> np.ndarray:
        """Return the inner products [m, m] of m vectors over all rows; one collective."""
        stacked = np.stack(own)
        return self._group.sum_numpy(stacked @ stacked.T, "products")

    @property
    def places(self) -> list[slice]:
        """Where each layer's weight and bias lie in theta; none without layers."""
        return self._linear.places

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """The shape [W_in + 1, W_out] of each layer, its bias the last row."""
        return self._linear.shapes

    def kronecker(self) -> list[list[Pair]]:
        """Return Kronecker's approximation of J^T J: by layer, a pair for each kind of rows.

        J^T J ~ sum_k A_k (x) B_k; k = 1: the equations' rows, k = 2: the conditions', if any. A is
        a mean over rows and channels, B a sum, so that their product counts every row once.
        """
        flat = self.kronecker_parts()
        total = self._group.sum_numpy(np.concatenate([part.reshape(-1) for part in flat]), "kfac")
        return self._pairs(np.split(total, np.cumsum([part.size for part in flat])[:-1]))

    @property
    def kinds(self) -> list[list[int]]:
        """The blocks of each kind of rows."""
        blocks = self._linear.objective.problem.blocks
        return [[0], list(range(1, len(blocks)))] if len(blocks) > 1 else [[0]]

    def kronecker_parts(self) -> list[np.ndarray]:
        """Return this rank's sums: for each kind of rows and each layer A, B and A's count."""
        flat = []
        for kind in self.kinds:
            found = zip(self.slabs, self._blocks(), strict=True)
            flat += self._kronecker_of([(slab, at) for slab, at in found if at in kind])
        return flat

    def _blocks(self) -> list[int]:
        """Return the block of each of this rank's slabs."""
        blocks = self._linear.objective.problem.blocks
        return [
            index
            for index, (block, data) in enumerate(zip(blocks, self._batch, strict=True))
            if data["x"].shape[0] > 0
            for _ in block.expressions
        ]

    def _kronecker_of(self, slabs: Sequence[tuple[Slab, int]]) -> list[np.ndarray]:
        """Return this rank's sums for one kind of rows: for each layer A, B and A's count."""
        out: list[np.ndarray] = []
        items = [_items(self._batch[at], slab) for slab, at in slabs]
        for number, (before, after) in enumerate(self.shapes):
            layers = [slab.layers[number] for slab, _ in slabs]
            if layers:
                out += [factor.numpy() for factor in self._linear.kronecker(layers)]
            else:
                out += [np.zeros((before, before)), np.zeros((after, after))]
            counts = [x.inputs.shape[0] * n for x, n in zip(layers, items, strict=True)]
            out.append(np.array([sum(counts)]))
        return [part.astype(self.own.dtype) for part in out]

    def _pairs(self, flat: Sequence[np.ndarray]) -> list[list[Pair]]:
        """Return the summed factors as pairs, by layer."""
        layers: list[list[Pair]] = [[] for _ in self.shapes]
        parts = iter(flat)
        for _ in self.kinds:
            for pairs, (before, after) in zip(layers, self.shapes, strict=True):
                inputs, signals, count = next(parts), next(parts), next(parts)
                pairs.append(
                    Pair(inputs.reshape(before, before) / count, signals.reshape(after, after))
                )
        return layers

    def entry_bound(self) -> float:
        """Return a bound of all entries of this rank's part of J^T J; NaN where there is none."""
        total = 0.0
        for slab in self.slabs:
            parts = [slab.unknowns] if slab.dense is None else [slab.dense]
            sizes = [float(np.max(np.abs(part), initial=0.0)) for part in parts]
            for inputs, signals in slab.layers:
                sides = [np.max(np.abs(side), axis=(1, 2)) for side in (inputs, signals)]
                sizes.append(float(np.sum(sides[0] * sides[1])))
            total += _width(slab) * max(sizes) ** 2 if np.all(np.isfinite(sizes)) else math.nan
        return 2 * total

    def _pieces(self, slabs: Sequence[Slab], size: int) -> Iterator[Slab]:
        """Cut slabs into such with a Jacobian that is not too large."""
        itemsize = np.dtype(self._theta.dtype.as_numpy_dtype).itemsize
        most = max(_BYTES_AT_ONCE // (size * itemsize), 1)
        for slab in slabs:
            width = _width(slab)
            for begin in range(0, width, most):
                yield slab if width <= most else _cut(slab, begin, min(begin + most, width))

    def _jacobian(self, slab: Slab, size: int) -> np.ndarray:
        """Return the transposed Jacobian [P, n] of a slab."""
        if slab.dense is not None:
            dense: np.ndarray = slab.dense.numpy()
            return dense
        out = np.empty((size, _width(slab)), self._theta.dtype.as_numpy_dtype)
        for place, layer in zip(self._linear.places, slab.layers, strict=True):
            out[place] = self._linear.transposed(layer).numpy()
        out[size - slab.unknowns.shape[0] :] = slab.unknowns.numpy()
        return out

    def parameter_pieces(self, slabs: Sequence[Slab], count: int) -> Iterator[np.ndarray]:
        """Return parts of the transposed Jacobian [p, N] of all slabs, layer after layer."""
        if slabs[0].dense is not None:
            dense = [slab.dense.numpy() for slab in slabs if slab.dense is not None]
            yield np.concatenate(dense, 1)
            return
        itemsize = np.dtype(self._theta.dtype.as_numpy_dtype).itemsize
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
                yield np.concatenate(
                    [self._linear.transposed(layer).numpy() for layer in layers], 1
                )
        if slabs[0].unknowns.shape[0]:
            yield np.concatenate([slab.unknowns.numpy() for slab in slabs], 1)


def _items(data: Data, slab: Slab) -> float:
    """Return how many of a slab's rows are those of items that count."""
    return float(np.sum(data[REAL])) if REAL in data else float(_width(slab))


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
