"""The MPI group: MPI's own calls inside compiled programs and on NumPy's arrays."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
from mpi4py import MPI

from pdehvd.comm.grid import Grid, Line
from pdehvd.comm.group import Group
from pdehvd.comm.timed_group import CAPACITY
from pdehvd.comm.xla_calls import (
    ALLTOALL,
    BROADCAST,
    EXCHANGE,
    GATHER,
    LARGEST,
    MAXIMUM,
    SUM,
    TYPES,
    XlaCalls,
)

if TYPE_CHECKING:
    from typing_extensions import Self

# Seconds between two looks at whether all ranks have arrived.
_PAUSE = 0.001


class MPIGroup(Group):
    """All processes that MPI has started, where they compute on processors.

    Collectives on tensors are part of the program around them, so a loop of steps is compiled as
    one, and no thread looks for work at the same time. For float16 and adaptive sums Horovod is
    started; XLA cannot compile that.
    """

    library = "mpi"
    compiles = True
    times_itself = True

    def __init__(self, calls: XlaCalls, grid: Grid | None = None) -> None:
        self._calls = calls
        self._grid = grid
        self._on_host: deque[float] = deque(maxlen=CAPACITY)
        self._whole = self
        self._join(MPI.COMM_WORLD.Dup())

    def _join(self, ranks: MPI.Comm) -> None:
        """Be the group of the ranks of a communicator, which is this group's own."""
        self._ranks = ranks
        self.rank, self.size = ranks.rank, ranks.size
        near = ranks.Split_type(MPI.COMM_TYPE_SHARED)
        self.local_rank, self.local_size = near.rank, near.size
        near.Free()
        self._number = self._calls.join(MPI._addressof(ranks))
        # Collectives on arrays by name; programs count their own.
        self._counted: Counter[str] = Counter()

    def _part(self, line: Line, ranks: tuple[int, ...]) -> Self:
        part = super()._part(line, ranks)
        part.__dict__.pop("_horovod", None)
        part._whole = self._whole
        part._join(self._ranks.Split(color=ranks[0], key=self.rank))
        return part

    def _call(
        self,
        tensor: tf.Tensor,
        operation: int,
        parts: Sequence[int] = (),
        shape: Sequence[int] | None = None,
    ) -> tf.Tensor:
        return self._calls(tensor, operation, self._number, parts, shape)

    def _all_sum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        if flat.dtype not in TYPES:
            return self._horovod._all_sum(flat, name)
        return self._call(flat, SUM)

    def _all_maximum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        if flat.dtype not in TYPES:
            return self._horovod._all_maximum(flat, name)
        return self._call(flat, MAXIMUM)

    def adasum(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        return self._horovod.adasum(tensor, name)

    def _gather(self, rows: tf.Tensor, counts: Sequence[int], name: str) -> tf.Tensor:
        shape = [sum(counts), *rows.shape[1:]]
        return self._call(rows, GATHER, _elements(rows, counts), shape)

    def _alltoall(
        self, rows: tf.Tensor, sent: Sequence[int], received: Sequence[int], name: str
    ) -> tf.Tensor:
        shape = [sum(received), *rows.shape[1:]]
        return self._call(rows, ALLTOALL, _elements(rows, [*sent, *received]), shape)

    def _exchange(self, slabs: tf.Tensor, name: str) -> tf.Tensor:
        return self._call(slabs, EXCHANGE)

    def _broadcast(self, tensor: tf.Tensor, root: int, name: str) -> tf.Tensor:
        return self._call(tensor, BROADCAST, [root])

    @cached_property
    def _horovod(self) -> Group:
        """Horovod's group of the same ranks; all ranks of the job must ask for it at one time."""
        from pdehvd.comm.horovod import HorovodGroup

        if self is self._whole:
            return HorovodGroup(self._grid)
        return self._whole._horovod.within(self.line)

    def broadcast_bytes(self, data: bytes) -> bytes:
        self._counted["broadcast of bytes"] += 1
        return bytes(self._ranks.bcast(data))

    def gather_numpy(self, rows: np.ndarray, name: str) -> np.ndarray:
        rows = np.asarray(rows, order="C")
        self._counted[f"gather.{name}"] += 1
        counts = self._ranks.allgather(len(rows))
        found = np.empty((sum(counts), *rows.shape[1:]), rows.dtype)
        with _row_of(found) as row:
            received = [found, counts, _starts(counts), row]
            self._timed(lambda: self._ranks.Allgatherv([rows, len(rows), row], received))
        return found

    def sum_numpy(self, values: np.ndarray, name: str) -> np.ndarray:
        return self._reduced(values, MPI.SUM, f"sum.{name}")

    def maximum_numpy(self, values: np.ndarray, name: str) -> np.ndarray:
        return self._reduced(values, MPI.MAX, f"maximum.{name}")

    def _reduced(self, values: np.ndarray, operation: MPI.Op, name: str) -> np.ndarray:
        values = np.asarray(values, order="C")
        total = np.empty_like(values)
        own, into = values.reshape(-1), total.reshape(-1)

        def reduce() -> None:
            for part in _parts(own.size):
                self._ranks.Allreduce(own[part], into[part], operation)

        self._counted[name] += 1
        self._timed(reduce)
        return total

    def reduce_scatter_numpy(
        self, values: np.ndarray, counts: Sequence[int], name: str
    ) -> np.ndarray:
        # Places of parts are counted in 32 bits too.
        if values.size > LARGEST:
            return super().reduce_scatter_numpy(values, counts, name)
        own = counts[self.rank]
        parts = self.alltoall_numpy(values, counts, [own] * self.size, name)
        parts = parts.reshape(self.size, own)
        for part in parts[1:]:
            parts[0] += part
        total: np.ndarray = parts[0]
        return total

    def alltoall_numpy(
        self, rows: np.ndarray, sent: Sequence[int], received: Sequence[int], name: str
    ) -> np.ndarray:
        rows = np.asarray(rows, order="C")
        found = np.empty((sum(received), *rows.shape[1:]), rows.dtype)
        with _row_of(found) as row:
            into = [found, list(received), _starts(received), row]
            out_of = [rows, list(sent), _starts(sent), row]
            self._counted[f"alltoall.{name}"] += 1
            self._timed(lambda: self._ranks.Alltoallv(out_of, into))
        return found

    def exchange_numpy(self, slabs: np.ndarray, name: str) -> np.ndarray:
        slabs = np.asarray(slabs, order="C")
        found = np.zeros_like(slabs)
        lower = self.rank - 1 if self.rank else MPI.PROC_NULL
        upper = self.rank + 1 if self.rank < self.size - 1 else MPI.PROC_NULL

        def swap() -> None:
            with _row_of(found) as row:
                for to, at in ((0, lower), (1, upper)), ((1, upper), (0, lower)):
                    sent, received = [slabs[to[0]], 1, row], [found[at[0]], 1, row]
                    self._ranks.Sendrecv(sent, to[1], recvbuf=received, source=at[1])

        self._counted[f"exchange.{name}"] += 1
        self._timed(swap)
        return found

    def broadcast_numpy(self, values: np.ndarray, source: int, name: str) -> np.ndarray:
        values = np.asarray(values, order="C")
        result = values if self.rank == source else np.empty_like(values)
        words = result.reshape(-1).view(np.uint8)

        def send() -> None:
            for part in _parts(words.size):
                self._ranks.Bcast(words[part], source)

        self._counted[f"broadcast.{name}"] += 1
        self._timed(send)
        return result

    def _begun(self) -> dict[str, int]:
        found = self._calls.begun(self._number) | dict(self._counted)
        # What is asked of Horovod, where it has been started.
        return found | (self._horovod._begun() if "_horovod" in self.__dict__ else {})

    def _timed(self, collective: Callable[[], None]) -> None:
        before = time.perf_counter()
        collective()
        self._on_host.append(time.perf_counter() - before)

    def taken(self) -> np.ndarray:
        found = np.concatenate([self._calls.durations(), self._on_host])
        self._on_host.clear()
        return found

    def barrier(self) -> None:
        self._counted["barrier"] += 1
        # MPI's own barrier keeps a core busy, which the rank that all wait for may need.
        arrival = self._ranks.Ibarrier()
        while not arrival.Test():
            time.sleep(_PAUSE)
        # Pauses end at different times; what is timed from here begins together.
        self._ranks.Barrier()

    def close(self) -> None:
        if "_horovod" in self.__dict__:
            self._horovod.close()
        self._ranks.Free()
        MPI.Finalize()


@contextmanager
def _row_of(array: np.ndarray) -> Iterator[MPI.Datatype]:
    """Give MPI's type of a row of an array: counts of rows fit where those of bytes do not."""
    width = int(np.prod(array.shape[1:], dtype=np.int64)) * array.dtype.itemsize
    row = MPI.BYTE.Create_contiguous(width).Commit()
    try:
        yield row
    finally:
        row.Free()


def _starts(counts: Sequence[int]) -> list[int]:
    return [0, *accumulate(counts[:-1])]


def _elements(rows: tf.Tensor, counts: Sequence[int]) -> list[int]:
    """Return counts of rows as numbers of their elements."""
    width = math.prod(rows.shape[1:])
    return [count * width for count in counts]


class World:
    """MPI's own calls on all processes that it has started, without a group: to be measured."""

    def allreduce(self, sent: np.ndarray, received: np.ndarray) -> None:
        """Put the sum over ranks of one array into another."""
        MPI.COMM_WORLD.Allreduce(sent, received)

    def broadcast(self, number: float) -> float:
        """Return rank 0's number on all ranks."""
        return float(MPI.COMM_WORLD.bcast(number))

    def join(self, calls: XlaCalls | None) -> int | None:
        """Return the number of all ranks for `calls`; None, on all alike, where one has none."""
        everywhere = MPI.COMM_WORLD.allreduce(calls is not None, MPI.LAND)
        if not everywhere or calls is None:
            return None
        return calls.join(MPI._addressof(MPI.COMM_WORLD))


def _parts(size: int) -> Iterator[slice]:
    """Yield what one message may hold of an array, part after part."""
    for first in range(0, size, LARGEST):
        yield slice(first, first + LARGEST)


def join(calls: XlaCalls | None, grid: Grid | None) -> MPIGroup | None:
    """Return the group of a job under MPI; None, on all ranks alike, where one cannot do that."""
    fits = calls is not None and calls.mpi == MPI.Get_library_version().split("\0")[0]
    fits &= MPI.Query_thread() >= MPI.THREAD_MULTIPLE
    everywhere = MPI.COMM_WORLD.allreduce(bool(fits), MPI.LAND)
    return MPIGroup(calls, grid) if everywhere and calls is not None else None


def abort(code: int) -> None:
    """End every process of the job at once, where MPI joins them."""
    if MPI.Is_initialized() and not MPI.Is_finalized():
        MPI.COMM_WORLD.Abort(code)
