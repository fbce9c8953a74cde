"""The rows of one residual of one block, and their Jacobian: as factors, or as such.

For a network of layers z = W^T a + b the Jacobian of a row is, layer by layer, the sum over
derivative channels c of outer products a_c x delta_c, delta_c = d rho / d z_c. Both kinds are named
tuples of tensors that compiled functions take and return; methods that return arrays run outside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

# Jacobian entries that exist at a time.
_BYTES_AT_ONCE = 2**28
# Products of so few channels are fused into one pass over the Jacobian.
_UNROLLED = 32


class LayerFactors(NamedTuple):
    """Inputs a, with a row of ones for the bias, [C, W_in + 1, n], and signals [C, W_out, n]."""

    inputs: tf.Tensor
    signals: tf.Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """The layer's weight with its bias, [W_in + 1, W_out]."""
        return int(self.inputs.shape[1]), int(self.signals.shape[1])

    @property
    def size(self) -> int:
        """Number of the layer's parameters."""
        return math.prod(self.shape)


class FactoredRows(NamedTuple):
    """n rows whose Jacobian is kept as factors, layer by layer in the order of theta.

    `unknowns` [U, n] are the derivatives with respect to the numbers to be discovered.
    """

    layers: tuple[LayerFactors, ...]
    unknowns: tf.Tensor

    @property
    def rows(self) -> int:
        """Number n of rows."""
        return int(self.unknowns.shape[1])

    @property
    def parameters(self) -> int:
        """Number P of parameters."""
        return sum(layer.size for layer in self.layers) + int(self.unknowns.shape[0])

    @property
    def itemsize(self) -> int:
        """Bytes of an entry of the Jacobian."""
        return int(self.unknowns.dtype.size)

    def jvp(self, direction: tf.Tensor) -> tf.Tensor:
        """Return J v [n] for v [P]: sum over layers and channels of (V^T a_c) . delta_c."""
        network = sum(layer.size for layer in self.layers)
        total = tf.linalg.matvec(self.unknowns, direction[network:], transpose_a=True)
        start = 0
        for layer in self.layers:
            matrix = tf.reshape(direction[start : start + layer.size], layer.shape)
            moved = tf.einsum("io,cin->con", matrix, layer.inputs)
            total += tf.reduce_sum(moved * layer.signals, [0, 1])
            start += layer.size
        return total

    def vjp(self, w: tf.Tensor) -> tf.Tensor:
        """Return J^T w [P] for w [n]: sum over n and c of w_n a_c x delta_c."""
        parts = [
            tf.reshape(tf.einsum("cin,con->io", layer.inputs * w, layer.signals), [-1])
            for layer in self.layers
        ]
        return tf.concat([*parts, tf.linalg.matvec(self.unknowns, w)], 0)

    def cut(self, begin: int, end: int) -> FactoredRows:
        """Return some of the rows."""
        layers = tuple(
            LayerFactors(inputs[..., begin:end], signals[..., begin:end])
            for inputs, signals in self.layers
        )
        return FactoredRows(layers, self.unknowns[:, begin:end])

    def transposed(self) -> np.ndarray:
        """Return J^T [P, n]."""
        out = np.empty((self.parameters, self.rows), self.unknowns.dtype.as_numpy_dtype)
        start = 0
        for layer in self.layers:
            out[start : start + layer.size] = _transposed(layer).numpy()
            start += layer.size
        out[start:] = self.unknowns.numpy()
        return out

    def parameter_pieces(self, rows: int) -> Iterator[np.ndarray]:
        """Return J^T in pieces [p, n] of a few parameters, few enough for `rows` rows."""
        for layer in self.layers:
            before, after = layer.shape
            most = max(_BYTES_AT_ONCE // (rows * self.itemsize * after), 1)
            for begin in range(0, before, most):
                inputs = layer.inputs[:, begin : begin + most]
                yield _transposed(layer._replace(inputs=inputs)).numpy()
        if self.unknowns.shape[0]:
            yield self.unknowns.numpy()

    def largest(self) -> float:
        """Return a bound of |J|; NaN where not all entries are finite."""
        sizes = [float(np.max(np.abs(self.unknowns), initial=0.0))]
        for layer in self.layers:
            inputs, signals = (np.max(np.abs(side), axis=(1, 2)) for side in layer)
            sizes.append(float(np.sum(inputs * signals)))
        return max(sizes) if np.all(np.isfinite(sizes)) else math.nan


class Dense(NamedTuple):
    """n rows of a network that has no such layers: the Jacobian itself, transposed, [P, n]."""

    jacobian: tf.Tensor

    @property
    def layers(self) -> tuple[LayerFactors, ...]:
        """No layers."""
        return ()

    @property
    def rows(self) -> int:
        """Number n of rows."""
        return int(self.jacobian.shape[1])

    @property
    def parameters(self) -> int:
        """Number P of parameters."""
        return int(self.jacobian.shape[0])

    @property
    def itemsize(self) -> int:
        """Bytes of an entry of the Jacobian."""
        return int(self.jacobian.dtype.size)

    def jvp(self, direction: tf.Tensor) -> tf.Tensor:
        """Return J v [n] for v [P]."""
        return tf.linalg.matvec(self.jacobian, direction, transpose_a=True)

    def vjp(self, w: tf.Tensor) -> tf.Tensor:
        """Return J^T w [P] for w [n]."""
        return tf.linalg.matvec(self.jacobian, w)

    def cut(self, begin: int, end: int) -> Dense:
        """Return some of the rows."""
        return Dense(self.jacobian[:, begin:end])

    def transposed(self) -> np.ndarray:
        """Return J^T [P, n]."""
        jacobian: np.ndarray = self.jacobian.numpy()
        return jacobian

    def parameter_pieces(self, rows: int) -> Iterator[np.ndarray]:
        """Return J^T as one piece: it exists anyway."""
        yield self.transposed()

    def largest(self) -> float:
        """Return the largest |J|; NaN where not all entries are finite."""
        size = float(np.max(np.abs(self.jacobian), initial=0.0))
        return size if math.isfinite(size) else math.nan


Slab = FactoredRows | Dense


def row_pieces(slab: Slab) -> Iterator[np.ndarray]:
    """Return J^T in pieces [P, m] of a few rows."""
    most = max(_BYTES_AT_ONCE // (slab.parameters * slab.itemsize), 1)
    for begin in range(0, slab.rows, most):
        few = slab if slab.rows <= most else slab.cut(begin, min(begin + most, slab.rows))
        yield few.transposed()


def outer(layer: LayerFactors) -> tf.Tensor:
    """Return a layer's part of the transposed Jacobian, [(W_in + 1) W_out, n]."""
    channels = layer.inputs.shape[0]
    if channels > _UNROLLED:
        total = tf.einsum("cin,con->ion", layer.inputs, layer.signals)
    else:
        total = tf.add_n(
            [layer.inputs[c][:, None] * layer.signals[c][None] for c in range(channels)]
        )
    return tf.reshape(total, [-1, layer.inputs.shape[2]])


_transposed = tf.function(outer, jit_compile=True, autograph=False)
