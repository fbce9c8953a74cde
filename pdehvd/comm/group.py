"""Group: the processes that compute one number together. Solo: one process, nothing to install."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.comm.grid import shard
from pdehvd.launch.tensorflow_import import import_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf


class Group(ABC):
    """Collectives over `size` processes; every process calls the same ones in the same order.

    Inside `tf.function` only. `name` pins the collective: two different tensors must never
    travel under one name at the same time.
    """

    rank: int
    size: int
    local_rank: int
    local_size: int
    library = "none"
    """The reduction backend: `horovod`, `horovod-gloo`, `mpi`, or `none` on a single process."""
    compiles = False
    """Whether sums and maxima can be part of a program that XLA compiles."""
    times_itself = False
    """Whether the group itself measures the time of its collectives."""

    def shard(self, count: int) -> tuple[int, int]:
        """Return this process's half-open range of `count` items."""
        return shard(count, self.rank, self.size)

    def sum(self, tensors: Sequence[tf.Tensor], name: str) -> list[tf.Tensor]:
        """Return the sum over ranks of each tensor of static shape; one collective per dtype.

        Collectives of one graph must depend on each other, or come from one another's results:
        in a compiled program nothing else keeps their order.
        """
        return self._packed(tensors, lambda flat, tag: self._all_sum(flat, tag), name)

    def maximum(self, tensors: Sequence[tf.Tensor], name: str) -> list[tf.Tensor]:
        """Return the elementwise maximum over ranks of each tensor."""
        return self._packed(tensors, lambda flat, tag: self._all_maximum(flat, tag), name)

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
    def _all_sum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        """Return the sum of `flat` over ranks."""

    @abstractmethod
    def _all_maximum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        """Return the elementwise maximum of `flat` over ranks."""

    @abstractmethod
    def adasum(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        """Return the adaptive sum of `tensor` over ranks (Maleki et al., arXiv 2006.02924)."""

    @abstractmethod
    def gather(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        """Return the rows [n_r, ...] of all ranks in rank order; n_r may differ."""

    @abstractmethod
    def broadcast(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        """Return rank 0's tensor. Gradient: the sum over ranks on rank 0, zero elsewhere."""

    @abstractmethod
    def exchange(
        self, tensor: tf.Tensor, splits: tf.Tensor, name: str
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Send `splits[r]` rows to each rank r; return the rows received and their counts."""

    @abstractmethod
    def broadcast_bytes(self, data: bytes) -> bytes:
        """Return rank 0's bytes on every rank; for set-up, outside `tf.function`."""

    @abstractmethod
    def gather_numpy(self, rows: np.ndarray, name: str) -> np.ndarray:
        """Return the rows of all ranks in rank order; for set-up, outside `tf.function`."""

    @abstractmethod
    def sum_numpy(self, values: np.ndarray, name: str) -> np.ndarray:
        """Return the sum of an array over ranks; for set-up, outside `tf.function`."""

    def sum_parts(self, values: np.ndarray, counts: Sequence[int], name: str) -> np.ndarray:
        """Return this rank's part of the sum over ranks of a vector; rank r's has counts[r]."""
        start = sum(counts[: self.rank])
        return self.sum_numpy(values, name)[start : start + counts[self.rank]]

    @abstractmethod
    def broadcast_numpy(self, values: np.ndarray, source: int, name: str) -> np.ndarray:
        """Return the array of rank `source`; all have one shape; outside `tf.function`."""

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
    """One process: every collective is the identity."""

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

    def gather(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        return tensor

    def broadcast(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        return tensor

    def exchange(
        self, tensor: tf.Tensor, splits: tf.Tensor, name: str
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return tensor, splits

    def broadcast_bytes(self, data: bytes) -> bytes:
        return data

    def gather_numpy(self, rows: np.ndarray, name: str) -> np.ndarray:
        return rows

    def sum_numpy(self, values: np.ndarray, name: str) -> np.ndarray:
        return values

    def broadcast_numpy(self, values: np.ndarray, source: int, name: str) -> np.ndarray:
        return values

    def close(self) -> None:
        pass
