"""One process that does the work of one rank of many, to time a shard without the others."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from pdehvd.comm.group import Group, Solo


class OneShard(Solo):
    """The last of `size` processes of which the others are not there: sums are its own.

    The last rank has the largest shard, and others would wait for it. For times only, never for
    training. Counts the collectives and their bytes.
    """

    def __init__(self, size: int) -> None:
        self.size, self.rank = size, size - 1
        with tf.device("CPU:0"):
            self._messages = tf.Variable(0, dtype=tf.int64, trainable=False)
            self._bytes = tf.Variable(0, dtype=tf.int64, trainable=False)

    def counted(self) -> tuple[int, int]:
        """Return the collectives and their bytes so far."""
        return int(self._messages.numpy()), int(self._bytes.numpy())

    def sum(self, tensors: Sequence[tf.Tensor], name: str) -> list[tf.Tensor]:
        return Group.sum(self, tensors, name)

    def maximum(self, tensors: Sequence[tf.Tensor], name: str) -> list[tf.Tensor]:
        return Group.maximum(self, tensors, name)

    def _all_sum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        return self._count(flat)

    def _all_maximum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        return self._count(flat)

    def adasum(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        return self._count(tensor)

    def _count(self, tensor: tf.Tensor) -> tf.Tensor:
        size = tf.cast(tf.size(tensor), tf.int64) * tensor.dtype.size
        with tf.device("CPU:0"):
            counted = [self._messages.assign_add(1), self._bytes.assign_add(size)]
        with tf.control_dependencies(counted):
            return tf.identity(tensor)
