"""A group that measures the time of its collectives, for the breakdown of a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import tensorflow as tf

from pdehvd.comm.grid import Line
from pdehvd.comm.group import Group
from pdehvd.comm.stall import LineProgress

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")
# Collectives between two calls of `taken`; more are counted no longer.
CAPACITY = 1 << 16


class TimedGroup(Group):
    """Does what another group does and keeps the seconds that each collective took.

    Its clock starts when this rank's own numbers are ready, so the seconds hold the waiting for
    others, Horovod's cycle and the transfer. The order of collectives is that of all ranks.
    """

    times_itself = True

    def __init__(self, group: Group) -> None:
        self.group = group
        self.rank, self.size = group.rank, group.size
        self.local_rank, self.local_size = group.local_rank, group.local_size
        self.library = group.library
        self._grid, self._members, self.line = group.grid, group.members, group.line
        with tf.device("CPU:0"):
            self._seconds = tf.Variable(tf.zeros([CAPACITY], tf.float64), trainable=False)
            self._count = tf.Variable(0, trainable=False)
        self._on_host: list[float] = []

    def _part(self, line: Line, ranks: tuple[int, ...]) -> Self:
        part = super()._part(line, ranks)
        part.group = self.group.within(line)
        part.local_rank, part.local_size = part.group.local_rank, part.group.local_size
        return part

    def progress(self) -> list[LineProgress]:
        return self.group.progress()

    def taken(self) -> np.ndarray:
        inside = self._seconds.numpy()[: int(self._count.numpy())]
        found = np.concatenate([inside, self._on_host])
        self._count.assign(0)
        self._on_host.clear()
        return found

    def _timed(self, tensor: tf.Tensor, collective: Callable[[tf.Tensor], T]) -> T:
        """Apply a collective between two looks at the clock."""
        with tf.control_dependencies([tensor]), tf.device("CPU:0"):
            before = tf.timestamp()
        with tf.control_dependencies([before]):
            tensor = tf.identity(tensor)
        result = collective(tensor)
        with tf.control_dependencies(tf.nest.flatten(result)), tf.device("CPU:0"):
            after = tf.timestamp()
            index = tf.minimum(self._count, CAPACITY - 1)
            written = self._seconds.scatter_nd_update([[index]], [after - before])
            with tf.control_dependencies([written]):
                counted = self._count.assign(index + 1)
        with tf.control_dependencies([counted]):
            same: T = tf.nest.map_structure(tf.identity, result)
            return same

    def _timed_on_host(self, collective: Callable[[], T]) -> T:
        before = time.perf_counter()
        result = collective()
        self._on_host.append(time.perf_counter() - before)
        return result

    def _all_sum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        return self._timed(flat, lambda tensor: self.group._all_sum(tensor, name))

    def _all_maximum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        return self._timed(flat, lambda tensor: self.group._all_maximum(tensor, name))

    def adasum(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        return self._timed(tensor, lambda own: self.group.adasum(own, name))

    @property
    def supports_adasum(self) -> bool:
        return self.group.supports_adasum

    def _gather(self, rows: tf.Tensor, counts: Sequence[int], name: str) -> tf.Tensor:
        return self._timed(rows, lambda own: self.group._gather(own, counts, name))

    def _alltoall(
        self, rows: tf.Tensor, sent: Sequence[int], received: Sequence[int], name: str
    ) -> tf.Tensor:
        return self._timed(rows, lambda own: self.group._alltoall(own, sent, received, name))

    def _exchange(self, slabs: tf.Tensor, name: str) -> tf.Tensor:
        return self._timed(slabs, lambda own: self.group._exchange(own, name))

    def _broadcast(self, tensor: tf.Tensor, root: int, name: str) -> tf.Tensor:
        return self._timed(tensor, lambda own: self.group._broadcast(own, root, name))

    def broadcast_bytes(self, data: bytes) -> bytes:
        return self.group.broadcast_bytes(data)

    def gather_numpy(self, rows: np.ndarray, name: str) -> np.ndarray:
        return self._timed_on_host(lambda: self.group.gather_numpy(rows, name))

    def sum_numpy(self, values: np.ndarray, name: str) -> np.ndarray:
        return self._timed_on_host(lambda: self.group.sum_numpy(values, name))

    def maximum_numpy(self, values: np.ndarray, name: str) -> np.ndarray:
        return self._timed_on_host(lambda: self.group.maximum_numpy(values, name))

    def reduce_scatter_numpy(
        self, values: np.ndarray, counts: Sequence[int], name: str
    ) -> np.ndarray:
        return self._timed_on_host(lambda: self.group.reduce_scatter_numpy(values, counts, name))

    def alltoall_numpy(
        self, rows: np.ndarray, sent: Sequence[int], received: Sequence[int], name: str
    ) -> np.ndarray:
        return self._timed_on_host(lambda: self.group.alltoall_numpy(rows, sent, received, name))

    def exchange_numpy(self, slabs: np.ndarray, name: str) -> np.ndarray:
        return self._timed_on_host(lambda: self.group.exchange_numpy(slabs, name))

    def broadcast_numpy(self, values: np.ndarray, source: int, name: str) -> np.ndarray:
        return self._timed_on_host(lambda: self.group.broadcast_numpy(values, source, name))

    def close(self) -> None:
        self.group.close()
