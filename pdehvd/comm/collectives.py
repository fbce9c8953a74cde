"""Collectives on tensors with their exact derivatives, whatever carries the numbers.

The loss is the sum of all ranks' losses, each a function of what its rank has received. The
gradient for what a rank has sent is then a collective too: the adjoint of the first one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pdehvd.launch.tensorflow_import import import_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf

_TYPES = ("float32", "float64", "int32", "int64")


class Collectives(ABC):
    """Operations in which all `size` ranks take part, in one order; inside `tf.function` only.

    Tensors are float32, float64, int32 or int64 and have static shapes; other types raise
    `TypeError`, other shapes than those that were announced `ValueError`. `name` pins the
    operation: two that are under way at one time must not share it. No rank may leave one out,
    but none is dropped because its result is not used.
    """

    rank: int
    size: int

    def gather(self, rows: tf.Tensor, counts: Sequence[int], name: str) -> tf.Tensor:
        """Return the rows of all ranks in rank order (allgather); rank r has `counts[r]` of them.

        Adjoint: `reduce_scatter`.

        Arguments:
            rows: those of this rank [n_r, ...]
            counts: rows of each rank [R]
            name: of the collective, the same on all ranks
        """
        rows = _checked(rows, name)
        _compare(rows, counts[self.rank], name)
        return _linear(
            rows,
            lambda own: self._gather(own, counts, name),
            lambda upstream: self.reduce_scatter(upstream, counts, f"{name}.adjoint"),
        )

    def reduce_scatter(self, rows: tf.Tensor, counts: Sequence[int], name: str) -> tf.Tensor:
        """Return this rank's part of the sum over ranks of rows; rank r's has `counts[r]` rows.

        Adjoint: `gather`.
        """
        rows = _checked(rows, name)
        _compare(rows, sum(counts), name)
        return _linear(
            rows,
            lambda whole: self._reduce_scatter(whole, counts, name),
            lambda upstream: self.gather(upstream, counts, f"{name}.adjoint"),
        )

    def _reduce_scatter(self, rows: tf.Tensor, counts: Sequence[int], name: str) -> tf.Tensor:
        """Return the sum of what all ranks send for this rank's rows, added in rank order."""
        tf = import_tensorflow()
        own = counts[self.rank]
        parts = self._alltoall(rows, counts, [own] * self.size, name)
        return tf.reduce_sum(tf.reshape(parts, [self.size, own, *rows.shape[1:]]), 0)

    def alltoall(
        self, rows: tf.Tensor, sent: Sequence[int], received: Sequence[int], name: str
    ) -> tf.Tensor:
        """Send `sent[r]` rows to each rank r; return the `received[r]` rows of each, in rank order.

        Adjoint: the same with the counts exchanged.
        """
        rows = _checked(rows, name)
        _compare(rows, sum(sent), name)
        return _linear(
            rows,
            lambda own: self._alltoall(own, sent, received, name),
            lambda upstream: self.alltoall(upstream, received, sent, f"{name}.adjoint"),
        )

    def exchange(self, slabs: tf.Tensor, name: str) -> tf.Tensor:
        """Return the slabs [2, ...] received from the lower and the upper neighbour.

        `slabs` [2, ...] go to the lower and to the upper neighbour; what comes from beyond the
        ends is 0. It is its own adjoint, and its own inverse but for the ends.

        Arguments:
            slabs: for the lower and the upper neighbour [2, ...]
            name: of the collective, the same on all ranks
        """
        slabs = _checked(slabs, name)
        _compare(slabs, 2, name)
        return _linear(
            slabs,
            lambda own: self._exchange(own, name),
            lambda upstream: self.exchange(upstream, f"{name}.adjoint"),
        )

    def broadcast(self, tensor: tf.Tensor, root: int, name: str) -> tf.Tensor:
        """Return the tensor of rank `root`; all have one shape.

        Adjoint: the sum over ranks on `root`, 0 elsewhere.

        Arguments:
            tensor: of the same shape on all ranks
            root: the rank whose tensor it is
            name: of the collective, the same on all ranks
        """
        tensor = _checked(tensor, name)
        return _linear(
            tensor,
            lambda own: self._broadcast(own, root, name),
            lambda upstream: self._reduce(upstream, root, f"{name}.adjoint"),
        )

    def _reduce(self, tensor: tf.Tensor, root: int, name: str) -> tf.Tensor:
        """Return the sum over ranks on rank `root`, 0 elsewhere; the adjoint of `broadcast`."""
        return _linear(
            tensor,
            lambda own: self._sum_on(own, root, name),
            lambda upstream: self.broadcast(upstream, root, f"{name}.adjoint"),
        )

    def _sum_on(self, tensor: tf.Tensor, root: int, name: str) -> tf.Tensor:
        tf = import_tensorflow()
        total = tf.reshape(self._all_sum(tf.reshape(tensor, [-1]), name), tensor.shape)
        return total if self.rank == root else tf.zeros_like(tensor)

    def _flat_sum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        """Return the sum over ranks of a vector: its own adjoint."""
        return _linear(
            flat,
            lambda own: self._all_sum(own, name),
            lambda upstream: self._flat_sum(upstream, f"{name}.adjoint"),
        )

    def _flat_maximum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        """Return the elementwise maximum over ranks of a vector.

        Its subgradient is the one of `tf.reduce_max`: ranks that share a maximum share it evenly.
        """

        def largest(own: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            tf = import_tensorflow()
            most = self._all_maximum(tf.stop_gradient(own), name)
            known = tf.stop_gradient(most)
            return most, lambda upstream: self._shared(upstream, own, known, f"{name}.adjoint")

        return import_tensorflow().custom_gradient(largest)(flat)

    def _shared(self, upstream: tf.Tensor, own: tf.Tensor, most: tf.Tensor, name: str) -> tf.Tensor:
        """Return this rank's part of a gradient for maxima that some ranks hold."""
        tf = import_tensorflow()
        holds = tf.cast(own == most, own.dtype)
        both = tf.concat([tf.reshape(upstream, own.shape), holds], 0)
        total, holders = tf.split(self._flat_sum(both, name), 2)
        return holds * total / holders

    @abstractmethod
    def _all_sum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        """Return the sum over ranks of a vector, without a derivative like all that follow."""

    @abstractmethod
    def _all_maximum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        """Return the elementwise maximum over ranks of a vector."""

    @abstractmethod
    def _gather(self, rows: tf.Tensor, counts: Sequence[int], name: str) -> tf.Tensor:
        """Return the rows of all ranks."""

    @abstractmethod
    def _alltoall(
        self, rows: tf.Tensor, sent: Sequence[int], received: Sequence[int], name: str
    ) -> tf.Tensor:
        """Return the rows that all ranks have sent to this one."""

    @abstractmethod
    def _exchange(self, slabs: tf.Tensor, name: str) -> tf.Tensor:
        """Return the slabs of the neighbours."""

    @abstractmethod
    def _broadcast(self, tensor: tf.Tensor, root: int, name: str) -> tf.Tensor:
        """Return the tensor of one rank."""


def _linear(
    tensor: tf.Tensor,
    forward: Callable[[tf.Tensor], tf.Tensor],
    adjoint: Callable[[tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Return forward(tensor), whose derivative is the adjoint of the upstream gradient."""

    def carried(own: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        # What carries it has no derivative, or a wrong one; nobody may ask for that.
        result = forward(import_tensorflow().stop_gradient(own))
        return result, lambda upstream: adjoint(_shaped(upstream, result.shape))

    return import_tensorflow().custom_gradient(carried)(tensor)


def _shaped(upstream: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Return a gradient with its static shape, which a loop may have lost."""
    return import_tensorflow().reshape(upstream, shape)


def _checked(tensor: tf.Tensor, name: str) -> tf.Tensor:
    tensor = import_tensorflow().convert_to_tensor(tensor)
    if tensor.dtype.name not in _TYPES:
        raise TypeError(
            f"{name}: {tensor.dtype.name} cannot be sent; cast to {' or '.join(_TYPES)}"
        )
    if tensor.shape.rank == 0 or not tensor.shape.is_fully_defined():
        raise ValueError(f"{name}: a tensor [n, ...] of static shape is needed, not {tensor.shape}")
    return tensor


def _compare(rows: tf.Tensor, count: int, name: str) -> None:
    if rows.shape[0] != count:
        raise ValueError(f"{name}: {rows.shape[0]} rows where {count} were announced")
