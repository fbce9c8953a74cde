"""The residuals of a shard made linear at one theta: rows, and their Jacobian as factors.

A row is rho = sqrt(w_k / N_k) r, so that the loss is the sum of all rows squared. For a network of
layers z = W^T a + b the Jacobian of a row is, layer by layer, the sum over derivative channels c of
outer products a_c x delta_c, delta_c = d rho / d z_c: one pass forward and one backward, and the
Jacobian itself (rows x P) need not exist. For any other network it is computed row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from pdehvd.models.network import LayerRecord
from pdehvd.objectives.batches import BlockPoints, PointBatch
from pdehvd.objectives.point_law import PointLaw
from pdehvd.objectives.slabs import Dense, FactoredRows, LayerFactors, Slab

# Rows whose Jacobian is computed together where there are no layers to factor it.
_ROWS_AT_ONCE = 256


class Linearization:
    """The compiled functions that make the residuals of a law linear; they know no rank.

    `counts` [T] are the global numbers N_k of the terms' items.
    """

    def __init__(self, law: PointLaw, counts: np.ndarray, dtype: tf.DType) -> None:
        self.law = law
        self._counts = counts
        self._dtype = dtype
        self._network = law.network
        self._size = law.network.size + len(law.problem.unknowns)
        self.rows_and_slabs = tf.function(self._linearized, jit_compile=True, autograph=False)
        self.rows = tf.function(self._rows_of, jit_compile=True, autograph=False)
        self.jvp = tf.function(self._jvp, jit_compile=True, autograph=False)
        self.vjp = tf.function(self._vjp, jit_compile=True, autograph=False)
        self.gram = tf.function(self._gram, jit_compile=True, autograph=False)
        self.kronecker = tf.function(kronecker_sums, jit_compile=True, autograph=False)
        records = self._blank_records()
        self.starts = None if records is None else tuple(record.start for record in records)
        self.shapes = tuple(
            (record.inputs[0].shape[0] + 1, record.outputs[0].shape[0]) for record in records or ()
        )

    @property
    def places(self) -> list[slice]:
        """Where each layer's weight and bias lie in theta [P]."""
        starts = self.starts or ()
        return [slice(s, s + a * b) for s, (a, b) in zip(starts, self.shapes, strict=True)]

    def _blank_records(self) -> list[LayerRecord] | None:
        """Return the network's records at no point, for what they say about its layers."""
        network = self._network
        theta = tf.zeros([network.size], self._dtype)
        x = tf.zeros([0, len(self.law.problem.coordinates)], self._dtype)
        ran = network.recorded(network.split(theta), x, self.law.plan_of(0))
        return None if ran is None else ran[1]

    def _linearized(
        self, theta: tf.Tensor, batch: PointBatch, weights: tf.Tensor
    ) -> tuple[tf.Tensor, list[Slab]]:
        """Return this shard's rows [n] and the factors of their Jacobian, slab after slab."""
        rows: list[tf.Tensor] = []
        slabs: list[Slab] = []
        work = self._dense if self.starts is None else self._factored
        for index, scales in enumerate(self._scales(weights)):
            if batch[index].x.shape[0] > 0:
                more = work(index, theta, batch[index], scales)
                rows += more[0]
                slabs += more[1]
        return tf.concat(rows, 0), slabs

    def _rows_of(self, theta: tf.Tensor, batch: PointBatch, weights: tf.Tensor) -> tf.Tensor:
        """Return this shard's rows [n] alone."""
        network = self._network
        rows: list[tf.Tensor] = []
        for index, scales in enumerate(self._scales(weights)):
            if batch[index].x.shape[0] > 0:
                parameters = network.split(theta[: network.size])
                channels = network.jet(parameters, batch[index].x, self.law.plan_of(index))
                rows += self._rows(index, channels, batch[index], theta, scales)
        return tf.concat(rows, 0)

    def _scales(self, weights: tf.Tensor) -> list[tf.Tensor]:
        """Return for each block sqrt(w_k / N_k) of all its residuals, [R]."""
        scales = tf.sqrt(weights / tf.constant(self._counts, weights.dtype))
        result, first = [], 0
        for block in self.law.problem.blocks:
            numbers = [
                first + number for number, term in enumerate(block.terms) for _ in term.expressions
            ]
            result.append(tf.stack([scales[number] for number in numbers]))
            first += len(block.terms)
        return result

    def _factored(
        self, index: int, theta: tf.Tensor, data: BlockPoints, scales: tf.Tensor
    ) -> tuple[list[tf.Tensor], list[Slab]]:
        network, plan = self._network, self.law.plan_of(index)
        k = self.law.problem.blocks[index].source.points_per_item
        own = theta[: network.size]
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(own)
            ran = network.recorded(network.split(own), data.x, plan)
            assert ran is not None
            channels, records = ran
            rows = self._rows(index, channels, data, theta, scales)
            targets = [tf.reduce_sum(row) for row in rows]
        inputs = [_with_ones(record, k) for record in records]
        inputs = [data.masked(entry, -1) for entry in inputs]
        outputs = [record.outputs for record in records]
        fixed = [tf.stop_gradient(channel) for channel in channels]
        unknowns = self._by_unknowns(
            lambda: self._rows(index, fixed, data, theta, scales), theta, rows
        )
        slabs: list[Slab] = []
        for target, by_unknowns in zip(targets, unknowns, strict=True):
            signals = tape.gradient(target, outputs, unconnected_gradients="zero")
            layers = [
                LayerFactors(a, _by_item(delta, k))
                for a, delta in zip(inputs, signals, strict=True)
            ]
            slabs.append(FactoredRows(tuple(layers), by_unknowns))
        return rows, slabs

    def _rows(
        self,
        index: int,
        channels: list[tf.Tensor],
        data: BlockPoints,
        theta: tf.Tensor,
        scales: tf.Tensor,
    ) -> list[tf.Tensor]:
        law = self.law
        values = law.block_residuals(index, law.plan_of(index), channels, data, law.unknowns(theta))
        rows: list[tf.Tensor] = tf.unstack(values * scales, axis=1)
        return rows

    def _by_unknowns(
        self, evaluate: Callable[[], list[tf.Tensor]], theta: tf.Tensor, like: list[tf.Tensor]
    ) -> list[tf.Tensor]:
        """Return for each residual its derivatives by the unknowns, [U, n], forward mode."""
        size, count = self._network.size, len(self.law.problem.unknowns)
        if count == 0:
            return [tf.zeros([0, tf.shape(row)[0]], theta.dtype) for row in like]
        found = []
        for number in range(count):
            seed = tf.one_hot(size + number, size + count, dtype=theta.dtype)
            with tf.autodiff.ForwardAccumulator(theta, seed) as forward:
                rows = evaluate()
            found.append([forward.jvp(row, unconnected_gradients="zero") for row in rows])
        return [tf.stack(columns) for columns in zip(*found, strict=True)]

    def _dense(
        self, index: int, theta: tf.Tensor, data: BlockPoints, scales: tf.Tensor
    ) -> tuple[list[tf.Tensor], list[Slab]]:
        network, plan = self._network, self.law.plan_of(index)
        k = self.law.problem.blocks[index].source.points_per_item
        count = data.x.shape[0] // k
        rows: list[list[tf.Tensor]] = []
        parts: list[list[tf.Tensor]] = []
        for start in range(0, count, _ROWS_AT_ONCE):
            stop = min(start + _ROWS_AT_ONCE, count)
            piece = _items(data, count, start, stop)
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(theta)
                parameters = network.split(theta[: network.size])
                channels = network.jet(parameters, piece.x, plan)
                values = self._rows(index, channels, piece, theta, scales)
            rows.append(values)
            parts.append([tf.transpose(tape.jacobian(row, theta)) for row in values])
        slabs: list[Slab] = [Dense(tf.concat(part, 1)) for part in zip(*parts, strict=True)]
        return [tf.concat(row, 0) for row in zip(*rows, strict=True)], slabs

    def _jvp(self, slabs: Sequence[Slab], direction: tf.Tensor) -> tf.Tensor:
        """Return J v [n] for v [P]."""
        return tf.concat([slab.jvp(direction) for slab in slabs], 0)

    def _vjp(self, slabs: Sequence[Slab], rows: tf.Tensor) -> tf.Tensor:
        """Return J^T w [P] for w [n]."""
        assert slabs
        total, start = tf.zeros([self._size], rows.dtype), 0
        for slab in slabs:
            total += slab.vjp(rows[start : start + slab.rows])
            start += slab.rows
        return total

    def _gram(self, slabs: Sequence[Slab], directions: tf.Tensor) -> tf.Tensor:
        """Return J^T J v [m, P] for m vectors v [m, P]."""
        return tf.map_fn(lambda v: self._vjp(slabs, self._jvp(slabs, v)), directions)


def _items(data: BlockPoints, count: int, start: int, stop: int) -> BlockPoints:
    """Return some of `count` items, whose columns may have several points for each."""

    def some(column: tf.Tensor) -> tf.Tensor:
        each = column.shape[0] // count
        return column[start * each : stop * each]

    piece: BlockPoints = tf.nest.map_structure(some, data)
    return piece


def _with_ones(record: LayerRecord, k: int) -> tf.Tensor:
    """Return a layer's inputs [C, W_in + 1, n]; the bias has a one in the value's channel only."""
    # The ones are added: XLA of TensorFlow 2.21 never writes them on a CPU if they are joined by a
    # concatenation, or by padding, and several blocks have four items each.
    first, *rest = record.inputs
    hot = tf.reshape(tf.one_hot(first.shape[0], first.shape[0] + 1, dtype=first.dtype), [-1, 1])
    one = tf.pad(first, [[0, 1], [0, 0]]) + hot
    return _by_item([one, *(tf.pad(entry, [[0, 1], [0, 0]]) for entry in rest)], k)


def _by_item(entries: Sequence[tf.Tensor], k: int) -> tf.Tensor:
    """Stack channels [W, n k] to [C k, W, n]: an item's k points count like channels."""
    stacked = tf.stack(entries)
    if k == 1:
        return stacked
    channels, width = stacked.shape[0], stacked.shape[1]
    apart = tf.reshape(stacked, [channels, width, -1, k])
    return tf.reshape(tf.transpose(apart, [0, 3, 1, 2]), [channels * k, width, -1])


def kronecker_sums(layers: Sequence[LayerFactors]) -> tuple[tf.Tensor, tf.Tensor]:
    """Return sum a a^T [W_in + 1, W_in + 1] and sum delta delta^T [W_out, W_out] of slabs.

    The sums run over slabs, channels and rows: the factors of Kronecker's approximation, in which
    channels count like rows (Dangel, Mueller, Zeinhofer, arXiv 2405.15603, equation 15).
    """
    inputs = tf.add_n([tf.einsum("cin,cjn->ij", x.inputs, x.inputs) for x in layers])
    signals = tf.add_n([tf.einsum("con,cpn->op", x.signals, x.signals) for x in layers])
    return inputs, signals
