"""Group: the processes that compute one number together. Solo: one process, nothing to install."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.comm.collectives import Collectives
from pdehvd.comm.grid import Grid, Line, shard
from pdehvd.comm.stall import LineProgress
from pdehvd.launch.tensorflow_import import import_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf
    from typing_extensions import Self


class Group(Collectives):
    """Collectives on tensors and on NumPy arrays over `size` processes.

    Every process calls the same ones in the same order. Those on arrays are for set-up and
    between steps, outside of compiled programs.

    >>> group = Solo()  # one process; a run on several has another
    >>> group.shard(7)  # this rank's part of 7 points
    (0, 7)
    >>> [total] = group.sum([tf.constant([1.0, 2.0])], name="example")
    >>> total.numpy().tolist()
    [1.0, 2.0]
    """

    local_rank: int
    local_size: int
    library = "none"
    """The reduction backend: `horovod`, `horovod-gloo`, `mpi`, or `none` on a single process."""
    compiles = False
    """Whether collectives can be part of a program that XLA compiles."""
    times_itself = False
    """Whether the group itself measures the time of its collectives."""
    line = Line.ALL
    """Which ranks of the job these are."""
    _grid: Grid | None = None
    _members: tuple[int, ...] = ()

    @property
    def grid(self) -> Grid:
        """How the ranks of this group divide the work; without a word about it: the samples."""
        return self._grid or Grid(data=self.size)

    @property
    def members(self) -> tuple[int, ...]:
        """The ranks of the job that are in this group; `rank` is a place among them."""
        return self._members or tuple(range(self.size))

    def within(self, line: Line) -> Group:
        """Return the group of the ranks on this rank's line of the grid.

        Every rank of this group calls it, for the same lines in the same order.
        """
        ranks = self.grid.ranks(line, self.rank)
        if len(ranks) == 1:
            return Solo()
        if len(ranks) == self.size:
            return self
        if ranks not in self._lines:
            self._lines[ranks] = self._part(line, ranks)
        return self._lines[ranks]

    @cached_property
    def _lines(self) -> dict[tuple[int, ...], Group]:
        """The groups that have been asked for, by the ranks in them."""
        return {}

    def _part(self, line: Line, ranks: tuple[int, ...]) -> Self:
        """Return a group like this one of some of its ranks."""
        part = copy(self)
        part.__dict__.pop("_lines", None)
        part.rank, part.size, part.line = ranks.index(self.rank), len(ranks), line
        part._grid = self.grid.along(line)
        part._members = tuple(self.members[rank] for rank in ranks)
        return part

    def shard(self, count: int) -> tuple[int, int]:
        """Return this process's half-open range of `count` items.

        Arguments:
            count: the global number of items
        """
        return shard(count, self.rank, self.size)

    def sum(self, tensors: Sequence[tf.Tensor], name: str) -> list[tf.Tensor]:
        """Return the sum over ranks of each tensor of static shape; one collective per dtype.

        What comes before a loop in a compiled program, in it and after it must depend on each
        other: nothing else keeps their order there.

        Arguments:
            tensors: any number, of the same shapes on all ranks
            name: of the collective, the same on all ranks
        """
        return self._packed(tensors, self._flat_sum, name)

    def maximum(self, tensors: Sequence[tf.Tensor], name: str) -> list[tf.Tensor]:
        """Return the elementwise maximum over ranks of each tensor.

        Arguments:
            tensors: any number, of the same shapes on all ranks
            name: of the collective, the same on all ranks
        """
        return self._packed(tensors, self._flat_maximum, name)

    def _packed(
        self, tensors: Sequence[tf.Tensor], reduce: Callable[[tf.Tensor, str], tf.Tensor], name: str
    ) -> list[tf.Tensor]:
        """Apply an elementwise reduction to all tensors of one dtype as one flat buffer."""
        tf = import_tensorflow()
        tensors = [tf.convert_to_tensor(tensor) for tensor in tensors]
        result = list(tensors)
        for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
            members = [i for i, tensor in enumerate(tensors) if tensor.dtype == dtype]
            sizes = [tensors[i].shape.num_elements() for i in members]
            flat = tf.concat([tf.reshape(tensors[i], [-1]) for i in members], 0)
            reduced = reduce(flat, f"{name}.{dtype.name}")
            for i, part in zip(members, tf.split(reduced, sizes), strict=True):
                result[i] = tf.reshape(part, tensors[i].shape)
        return result

    @abstractmethod
    def adasum(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        """Return the adaptive sum of `tensor` over ranks (Maleki et al., arXiv 2006.02924).

        Arguments:
            tensor: of the same shape on all ranks
            name: of the collective, the same on all ranks
        """

    @abstractmethod
    def broadcast_bytes(self, data: bytes) -> bytes:
        """Return rank 0's bytes on every rank."""

    @abstractmethod
    def gather_numpy(self, rows: np.ndarray, name: str) -> np.ndarray:
        """Return the rows of all ranks in rank order; they need not know each other's number."""

    @abstractmethod
    def sum_numpy(self, values: np.ndarray, name: str) -> np.ndarray:
        """Return the sum of an array over ranks."""

    @abstractmethod
    def maximum_numpy(self, values: np.ndarray, name: str) -> np.ndarray:
        """Return the elementwise maximum of an array over ranks."""

    def reduce_scatter_numpy(
        self, values: np.ndarray, counts: Sequence[int], name: str
    ) -> np.ndarray:
        """Return this rank's part of the sum over ranks of a vector; rank r's has counts[r]."""
        start = sum(counts[: self.rank])
        return self.sum_numpy(values, name)[start : start + counts[self.rank]]

    @abstractmethod
    def alltoall_numpy(
        self, rows: np.ndarray, sent: Sequence[int], received: Sequence[int], name: str
    ) -> np.ndarray:
        """Send `sent[r]` rows to each rank r; return the `received[r]` rows of each."""

    @abstractmethod
    def exchange_numpy(self, slabs: np.ndarray, name: str) -> np.ndarray:
        """Return the slabs [2, ...] of the lower and the upper neighbour, as `exchange` does."""

    @abstractmethod
    def broadcast_numpy(self, values: np.ndarray, source: int, name: str) -> np.ndarray:
        """Return the array of rank `source`; all have one shape."""

    def progress(self) -> list[LineProgress]:
        """Return what this rank has begun on the lines that were asked for; from any thread."""
        own = LineProgress(str(self.line), self.members, self._begun())
        return [own, *(one for part in list(self._lines.values()) for one in part.progress())]

    def _begun(self) -> dict[str, int]:
        """Return how often this rank has begun each collective of this group."""
        return {}

    def taken(self) -> np.ndarray:
        """Return the seconds of the collectives since the last call, and reset them."""
        return np.zeros(0)

    def barrier(self) -> None:
        """Return when every process has come here."""
        self.sum_numpy(np.zeros(1), "barrier")

    @property
    def supports_adasum(self) -> bool:
        """Whether `adasum` can run on this group."""
        return self.size & (self.size - 1) == 0

    @abstractmethod
    def close(self) -> None:
        """Leave the group in order; every process calls it last."""


class Solo(Group):
    """One process: what the others would contribute is nothing, for there are none."""

    rank = 0
    size = 1
    local_rank = 0
    local_size = 1
    compiles = True
    times_itself = True

    def sum(self, tensors: Sequence[tf.Tensor], name: str) -> list[tf.Tensor]:
        return list(tensors)

    def maximum(self, tensors: Sequence[tf.Tensor], name: str) -> list[tf.Tensor]:
        return list(tensors)

    def _all_sum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        return flat

    def _all_maximum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        return flat

    def adasum(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        return tensor

    def _gather(self, rows: tf.Tensor, counts: Sequence[int], name: str) -> tf.Tensor:
        return self._alone(rows, counts)

    def _alltoall(
        self, rows: tf.Tensor, sent: Sequence[int], received: Sequence[int], name: str
    ) -> tf.Tensor:
        start = sum(sent[: self.rank])
        return self._alone(rows[start : start + sent[self.rank]], received)

    def _alone(self, rows: tf.Tensor, counts: Sequence[int]) -> tf.Tensor:
        """Return own rows at their place among zeros."""
        around = [sum(counts[: self.rank]), sum(counts[self.rank + 1 :])]
        return import_tensorflow().pad(rows, [around, *[[0, 0]] * (rows.shape.rank - 1)])

    def _exchange(self, slabs: tf.Tensor, name: str) -> tf.Tensor:
        return import_tensorflow().zeros_like(slabs)

    def _broadcast(self, tensor: tf.Tensor, root: int, name: str) -> tf.Tensor:
        return tensor

    def broadcast_bytes(self, data: bytes) -> bytes:
        return data

    def gather_numpy(self, rows: np.ndarray, name: str) -> np.ndarray:
        return rows

    def sum_numpy(self, values: np.ndarray, name: str) -> np.ndarray:
        return values

    def maximum_numpy(self, values: np.ndarray, name: str) -> np.ndarray:
        return values

    def alltoall_numpy(
        self, rows: np.ndarray, sent: Sequence[int], received: Sequence[int], name: str
    ) -> np.ndarray:
        return rows

    def exchange_numpy(self, slabs: np.ndarray, name: str) -> np.ndarray:
        return np.zeros_like(slabs)

    def broadcast_numpy(self, values: np.ndarray, source: int, name: str) -> np.ndarray:
        return values

    def close(self) -> None:
        pass
