"""The Horovod group: the only one that imports horovod."""

from __future__ import annotations

from collections.abc import Callable

import horovod.tensorflow as hvd
import numpy as np
import tensorflow as tf

from pdehvd.comm.group import Group


class HorovodGroup(Group):
    """All processes of the job, joined by Horovod over MPI or Gloo."""

    def __init__(self) -> None:
        hvd.init()
        self.rank = hvd.rank()
        self.size = hvd.size()
        self.local_rank = hvd.local_rank()
        self.local_size = hvd.local_size()
        self.mpi = bool(hvd.mpi_enabled())
        self.library = "horovod" if self.mpi else "horovod-gloo"
        # A constant would let the graph optimizer drop a collective on some ranks only, and hang.
        self._is_first = tf.Variable(self.rank == 0, trainable=False)
        self._host_gather = _OnHost(lambda t, name: hvd.allgather(t, name=name))
        self._host_sum = _OnHost(lambda t, name: hvd.allreduce(t, op=hvd.Sum, name=name))
        self._host_broadcasts = [_OnHost(_broadcast_from(rank)) for rank in range(self.size)]

    def _all_sum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        return hvd.allreduce(flat, op=hvd.Sum, name=f"sum.{name}")

    def _all_maximum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        return hvd.allreduce(tf.stop_gradient(flat), op=hvd.Max, name=f"maximum.{name}")

    def adasum(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        return hvd.allreduce(tensor, op=hvd.Adasum, name=f"adasum.{name}")

    @property
    def supports_adasum(self) -> bool:
        return self.mpi and super().supports_adasum

    def gather(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        counts = hvd.allgather(tf.shape(tensor)[:1], name=f"gather.counts.{name}")
        start = tf.reduce_sum(counts[: self.rank])

        # Horovod's own gradient of allgather is too small by a factor of size.
        @tf.custom_gradient
        def gathered(local: tf.Tensor) -> tuple[tf.Tensor, object]:
            def backward(upstream: tf.Tensor) -> tf.Tensor:
                total = self._all_sum(upstream, f"gather.gradient.{name}")
                return total[start : start + tf.shape(local)[0]]

            return hvd.allgather(local, name=f"gather.{name}"), backward

        return gathered(tensor)

    def broadcast(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        # Horovod's own gradient of broadcast is too small by a factor of size.
        @tf.custom_gradient
        def sent(local: tf.Tensor) -> tuple[tf.Tensor, object]:
            def backward(upstream: tf.Tensor) -> tf.Tensor:
                total = self._all_sum(upstream, f"broadcast.gradient.{name}")
                return tf.where(self._is_first, total, tf.zeros_like(total))

            return hvd.broadcast(local, root_rank=0, name=f"broadcast.{name}"), backward

        return sent(tensor)

    def exchange(
        self, tensor: tf.Tensor, splits: tf.Tensor, name: str
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return hvd.alltoall(tensor, splits=splits, name=f"exchange.{name}")

    def broadcast_bytes(self, data: bytes) -> bytes:
        size = self.broadcast_numpy(np.array([len(data)], np.int64), 0, "bytes.size")
        buffer = np.zeros(int(size[0]), np.uint8)
        if self.rank == 0:
            buffer[:] = np.frombuffer(data, np.uint8)
        return self.broadcast_numpy(buffer, 0, "bytes.data").tobytes() if buffer.size else b""

    def gather_numpy(self, rows: np.ndarray, name: str) -> np.ndarray:
        return self._host_gather(rows, f"host.gather.{name}")

    def sum_numpy(self, values: np.ndarray, name: str) -> np.ndarray:
        return self._host_sum(values, f"host.sum.{name}")

    def broadcast_numpy(self, values: np.ndarray, source: int, name: str) -> np.ndarray:
        return self._host_broadcasts[source](values, f"host.broadcast.{name}.{source}")

    def close(self) -> None:
        hvd.shutdown()


def _broadcast_from(source: int) -> Callable[[tf.Tensor, str], tf.Tensor]:
    def broadcast(tensor: tf.Tensor, name: str) -> tf.Tensor:
        return hvd.broadcast(tensor, root_rank=source, name=name)

    return broadcast


class _OnHost:
    """A collective on NumPy arrays; compiled once per (name, dtype, shape of a row)."""

    def __init__(self, collective: Callable[[tf.Tensor, str], tf.Tensor]) -> None:
        self._collective = collective
        self._compiled: dict[tuple[object, ...], tf.types.experimental.PolymorphicFunction] = {}

    def __call__(self, array: np.ndarray, name: str) -> np.ndarray:
        array = np.asarray(array)
        key = (name, array.dtype.name, array.shape[1:])
        if key not in self._compiled:
            signature = tf.TensorSpec([None, *array.shape[1:]], array.dtype)
            self._compiled[key] = tf.function(
                lambda tensor: self._collective(tensor, name),
                input_signature=[signature],
                autograph=False,
            )
        return self._compiled[key](array).numpy()
