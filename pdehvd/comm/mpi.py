"""The MPI group: MPI's own calls inside compiled programs and on NumPy's arrays."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np
import tensorflow as tf
from mpi4py import MPI

from pdehvd.comm.group import Group
from pdehvd.comm.timed_group import CAPACITY
from pdehvd.comm.xla_calls import MAXIMUM, SUM, TYPES, XlaCalls

# MPI counts in 32 bits.
_LARGEST = 2**30


class MPIGroup(Group):
    """All processes that MPI has started, where they compute on processors.

    Sums and maxima of the plain types are part of the program around them, so a loop of steps is
    compiled as one, and no thread looks for work at the same time. For what else is asked inside
    `tf.function`, Horovod is started; XLA cannot compile that.
    """

    library = "mpi"
    compiles = True
    times_itself = True

    def __init__(self, calls: XlaCalls) -> None:
        self._ranks = MPI.COMM_WORLD.Dup()
        self.rank, self.size = self._ranks.rank, self._ranks.size
        near = self._ranks.Split_type(MPI.COMM_TYPE_SHARED)
        self.local_rank, self.local_size = near.rank, near.size
        near.Free()
        self._calls = calls
        calls.join(MPI._addressof(self._ranks))
        self._on_host: deque[float] = deque(maxlen=CAPACITY)

    def _all_sum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        if flat.dtype not in TYPES:
            return self._horovod._all_sum(flat, name)

        @tf.custom_gradient
        def summed(own: tf.Tensor) -> tuple[tf.Tensor, object]:
            return self._calls(own, SUM), lambda upstream: self._calls(upstream, SUM)

        return summed(flat)

    def _all_maximum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        if flat.dtype not in TYPES:
            return self._horovod._all_maximum(flat, name)
        return self._calls(tf.stop_gradient(flat), MAXIMUM)

    def adasum(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        return self._horovod.adasum(tensor, name)

    def gather(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        return self._horovod.gather(tensor, name)

    def broadcast(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        return self._horovod.broadcast(tensor, name)

    def exchange(
        self, tensor: tf.Tensor, splits: tf.Tensor, name: str
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._horovod.exchange(tensor, splits, name)

    @cached_property
    def _horovod(self) -> Group:
        from pdehvd.comm.horovod import HorovodGroup

        return HorovodGroup()

    def broadcast_bytes(self, data: bytes) -> bytes:
        return bytes(self._ranks.bcast(data))

    def gather_numpy(self, rows: np.ndarray, name: str) -> np.ndarray:
        rows = np.asarray(rows, order="C")
        counts = self._ranks.allgather(len(rows))
        found = np.empty((sum(counts), *rows.shape[1:]), rows.dtype)
        row = MPI.BYTE.Create_contiguous(int(found[:1].nbytes)).Commit()
        starts = np.cumsum([0, *counts[:-1]])
        received = [found, counts, starts, row]
        self._timed(lambda: self._ranks.Allgatherv([rows, len(rows), row], received))
        row.Free()
        return found

    def sum_numpy(self, values: np.ndarray, name: str) -> np.ndarray:
        values = np.asarray(values, order="C")
        total = np.empty_like(values)
        own, into = values.reshape(-1), total.reshape(-1)

        def add() -> None:
            for part in _parts(own.size):
                self._ranks.Allreduce(own[part], into[part])

        self._timed(add)
        return total

    def sum_parts(self, values: np.ndarray, counts: Sequence[int], name: str) -> np.ndarray:
        # Places of parts are counted in 32 bits too.
        if values.size > _LARGEST:
            return super().sum_parts(values, counts, name)
        parts = np.empty((self.size, counts[self.rank]), values.dtype)
        sent, received = [values, counts], [parts, [parts.shape[1]] * self.size]
        self._timed(lambda: self._ranks.Alltoallv(sent, received))
        for part in parts[1:]:
            parts[0] += part
        total: np.ndarray = parts[0]
        return total

    def broadcast_numpy(self, values: np.ndarray, source: int, name: str) -> np.ndarray:
        values = np.asarray(values, order="C")
        result = values if self.rank == source else np.empty_like(values)
        words = result.reshape(-1).view(np.uint8)

        def send() -> None:
            for part in _parts(words.size):
                self._ranks.Bcast(words[part], source)

        self._timed(send)
        return result

    def _timed(self, collective: Callable[[], None]) -> None:
        before = time.perf_counter()
        collective()
        self._on_host.append(time.perf_counter() - before)

    def taken(self) -> np.ndarray:
        found = np.concatenate([self._calls.durations(), self._on_host])
        self._on_host.clear()
        return found

    def barrier(self) -> None:
        self._ranks.Barrier()

    def close(self) -> None:
        if "_horovod" in self.__dict__:
            self._horovod.close()
        self._ranks.Free()
        MPI.Finalize()


class World:
    """MPI's own calls on all processes that it has started, without a group: to be measured."""

    def allreduce(self, sent: np.ndarray, received: np.ndarray) -> None:
        """Put the sum over ranks of one array into another."""
        MPI.COMM_WORLD.Allreduce(sent, received)

    def broadcast(self, number: float) -> float:
        """Return rank 0's number on all ranks."""
        return float(MPI.COMM_WORLD.bcast(number))

    def join(self, calls: XlaCalls | None) -> bool:
        """Have `calls` reduce over all ranks; return False, on all alike, where one has none."""
        everywhere = MPI.COMM_WORLD.allreduce(calls is not None, MPI.LAND)
        if not everywhere or calls is None:
            return False
        calls.join(MPI._addressof(MPI.COMM_WORLD))
        return True


def _parts(size: int) -> Iterator[slice]:
    """Yield what one message may hold of an array, part after part."""
    for first in range(0, size, _LARGEST):
        yield slice(first, first + _LARGEST)


def join(calls: XlaCalls | None) -> MPIGroup | None:
    """Return the group of a job under MPI; None, on all ranks alike, where one cannot do that."""
    fits = calls is not None and calls.mpi == MPI.Get_library_version().split("\0")[0]
    fits &= MPI.Query_thread() >= MPI.THREAD_MULTIPLE
    everywhere = MPI.COMM_WORLD.allreduce(bool(fits), MPI.LAND)
    return MPIGroup(calls) if everywhere and calls is not None else None


def abort(code: int) -> None:
    """End every process of the job at once, where MPI joins them."""
    if MPI.Is_initialized() and not MPI.Is_finalized():
        MPI.COMM_WORLD.Abort(code)
