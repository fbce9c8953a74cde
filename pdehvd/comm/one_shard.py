"""One process that does the work of one rank of many, to time a shard without the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from pdehvd.comm.group import Group, Solo
from pdehvd.comm.timed_group import CAPACITY
from pdehvd.comm.xla_calls import MARK, MARK_OF_STEP, TYPES, XlaCalls


class OneShard(Solo):
    """The last of `size` processes of which the others are not there: sums are its own.

    The last rank has the largest shard, and others would wait for it. For times only, never for
    training. Counts the collectives and their bytes, and notes when the gradient of each step
    is ready.
    """

    compiles = False

    def __init__(self, size: int) -> None:
        self.size, self.rank = size, size - 1
        with tf.device("CPU:0"):
            self._messages = tf.Variable(0, dtype=tf.int64, trainable=False)
            self._bytes = tf.Variable(0, dtype=tf.int64, trainable=False)
            self._ready = tf.Variable(tf.zeros([CAPACITY], tf.float64), trainable=False)
            self._steps = tf.Variable(0, trainable=False)

    def counted(self) -> tuple[int, int]:
        """Return the collectives and their bytes so far."""
        return int(self._messages.numpy()), int(self._bytes.numpy())

    def single_steps(self) -> np.ndarray:
        """Return the seconds of the steps since the last call but the first, and reset them."""
        ready: np.ndarray = self._ready.numpy()[: int(self._steps.numpy())]
        self._steps.assign(0)
        return np.diff(ready)

    def sum(self, tensors: Sequence[tf.Tensor], name: str) -> list[tf.Tensor]:
        return Group.sum(self, tensors, name)

    def maximum(self, tensors: Sequence[tf.Tensor], name: str) -> list[tf.Tensor]:
        return Group.maximum(self, tensors, name)

    def _all_sum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        return self._count(flat, name.startswith("step."))

    def _all_maximum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        return self._count(flat)

    def adasum(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        return self._count(tensor)

    def _gather(self, rows: tf.Tensor, counts: Sequence[int], name: str) -> tf.Tensor:
        return super()._gather(self._count(rows), counts, name)

    def _alltoall(
        self, rows: tf.Tensor, sent: Sequence[int], received: Sequence[int], name: str
    ) -> tf.Tensor:
        return super()._alltoall(self._count(rows), sent, received, name)

    def _exchange(self, slabs: tf.Tensor, name: str) -> tf.Tensor:
        return super()._exchange(self._count(slabs), name)

    def _broadcast(self, tensor: tf.Tensor, root: int, name: str) -> tf.Tensor:
        return self._count(tensor)

    def _count(self, tensor: tf.Tensor, is_step: bool = False) -> tf.Tensor:
        size = tf.cast(tf.size(tensor), tf.int64) * tensor.dtype.size
        with tf.control_dependencies([tensor]), tf.device("CPU:0"):
            counted = [self._messages.assign_add(1), self._bytes.assign_add(size)]
            if is_step:
                index = tf.minimum(self._steps, CAPACITY - 1)
                noted = self._ready.scatter_nd_update([[index]], [tf.timestamp()])
                with tf.control_dependencies([noted]):
                    counted.append(self._steps.assign(index + 1))
        with tf.control_dependencies(counted):
            return tf.identity(tensor)


class OneCompiledShard(OneShard):
    """The same where sums are inside compiled programs: `calls` count and note there."""

    compiles = True

    def __init__(self, size: int, calls: XlaCalls) -> None:
        super().__init__(size)
        self._calls = calls
        calls.steps()

    def counted(self) -> tuple[int, int]:
        return self._calls.counted()

    def single_steps(self) -> np.ndarray:
        return np.diff(self._calls.steps())

    def _count(self, tensor: tf.Tensor, is_step: bool = False) -> tf.Tensor:
        if tensor.dtype not in TYPES:
            return super()._count(tensor, is_step)
        return self._calls(tensor, MARK_OF_STEP if is_step else MARK)
