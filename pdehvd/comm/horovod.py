"""The Horovod group: the only one that imports horovod."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import horovod.tensorflow as hvd
import numpy as np
import tensorflow as tf

from pdehvd.comm.graph_functions import unconverted
from pdehvd.comm.grid import Grid, Line
from pdehvd.comm.group import Group

if TYPE_CHECKING:
    from typing_extensions import Self


class HorovodGroup(Group):
    """All processes of the job, joined by Horovod over MPI or Gloo.

    Horovod takes the lines of a grid when it starts, and no others later.
    """

    def __init__(self, grid: Grid | None = None) -> None:
        sets = [hvd.ProcessSet(list(ranks)) for ranks in grid.parts()] if grid else []
        hvd.init(process_sets=sets)
        self._set, self._sets = hvd.global_process_set, {tuple(s.ranks): s for s in sets}
        self._grid = grid
        self.rank = hvd.rank()
        self.size = hvd.size()
        self.local_rank = hvd.local_rank()
        self.local_size = hvd.local_size()
        self.mpi = bool(hvd.mpi_enabled())
        self.library = "horovod" if self.mpi else "horovod-gloo"
        # How often each collective has begun on this rank.
        self._counters: dict[str, _Counter] = {}
        self._compiled: dict[tuple[object, ...], tf.types.experimental.PolymorphicFunction] = {}

    def _part(self, line: Line, ranks: tuple[int, ...]) -> Self:
        part = super()._part(line, ranks)
        part._set = self._sets[part.members]
        part._counters, part._compiled = {}, {}
        return part

    def _all_sum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        return self._pass(
            flat,
            f"sum.{name}",
            lambda own, tag: hvd.allreduce(own, op=hvd.Sum, name=tag, process_set=self._set),
        )

    def _all_maximum(self, flat: tf.Tensor, name: str) -> tf.Tensor:
        return self._pass(
            flat,
            f"maximum.{name}",
            lambda own, tag: hvd.allreduce(own, op=hvd.Max, name=tag, process_set=self._set),
        )

    def adasum(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        return self._pass(
            tensor,
            f"adasum.{name}",
            lambda own, tag: hvd.allreduce(own, op=hvd.Adasum, name=tag, process_set=self._set),
        )

    @property
    def supports_adasum(self) -> bool:
        return self.mpi and super().supports_adasum

    def _gather(self, rows: tf.Tensor, counts: Sequence[int], name: str) -> tf.Tensor:
        return tf.ensure_shape(self._any_rows(rows, name), [sum(counts), *rows.shape[1:]])

    def _any_rows(self, rows: tf.Tensor, name: str) -> tf.Tensor:
        """Return the rows of all ranks, which need not know each other's number."""
        return self._pass(
            rows,
            f"gather.{name}",
            lambda own, tag: hvd.allgather(own, name=tag, process_set=self._set),
        )

    def _alltoall(
        self, rows: tf.Tensor, sent: Sequence[int], received: Sequence[int], name: str
    ) -> tf.Tensor:
        splits = tf.constant(sent, tf.int32)

        def carry(own: tf.Tensor, tag: str) -> tf.Tensor:
            return hvd.alltoall(own, splits=splits, name=tag, process_set=self._set)[0]

        result = self._pass(rows, f"alltoall.{name}", carry)
        return tf.ensure_shape(result, [sum(received), *rows.shape[1:]])

    def _exchange(self, slabs: tf.Tensor, name: str) -> tf.Tensor:
        lower, upper = int(self.rank > 0), int(self.rank < self.size - 1)
        counts = [0] * self.size
        counts[self.rank - lower] = lower
        counts[self.rank + upper] = upper
        found = self._alltoall(slabs[1 - lower : 1 + upper], counts, counts, name)
        return tf.pad(found, [[1 - lower, 1 - upper], *[[0, 0]] * (slabs.shape.rank - 1)])

    def _broadcast(self, tensor: tf.Tensor, root: int, name: str) -> tf.Tensor:
        source = self.members[root]
        return self._pass(
            tensor,
            f"broadcast.{name}.{root}",
            lambda own, tag: hvd.broadcast(own, root_rank=source, name=tag, process_set=self._set),
        )

    def _pass(
        self, tensor: tf.Tensor, name: str, carry: Callable[[tf.Tensor, str], tf.Tensor]
    ) -> tf.Tensor:
        """Apply a collective of Horovod's, which TensorFlow takes for a function like any other.

        It would compute one of constants while it optimizes the graph, on one rank before another,
        and leave one out whose result is not used on this rank. So the tensor comes out of a
        switch on a number that is known when the program runs, and an assertion reads the result.
        """
        tag = f"{self.line}.{name}"
        if tf.executing_eagerly():
            return carry(tensor, tag)
        if name not in self._counters:
            self._counters[name] = _Counter(tag)
        begun = self._counters[name].add_after(tensor)
        ways = tf.raw_ops.Switch(data=tensor, pred=begun < 0)
        result = carry(ways.output_false, tag)
        tf.raw_ops.Assert(condition=True, data=[tf.reshape(result, [-1])[:1]])
        return result

    def _begun(self) -> dict[str, int]:
        return {name: counter.value() for name, counter in list(self._counters.items())}

    def broadcast_bytes(self, data: bytes) -> bytes:
        size = self.broadcast_numpy(np.array([len(data)], np.int64), 0, "bytes.size")
        buffer = np.zeros(int(size[0]), np.uint8)
        if self.rank == 0:
            buffer[:] = np.frombuffer(data, np.uint8)
        return self.broadcast_numpy(buffer, 0, "bytes.data").tobytes() if buffer.size else b""

    def gather_numpy(self, rows: np.ndarray, name: str) -> np.ndarray:
        return self._on_host(self._any_rows, rows, f"host.{name}")

    def sum_numpy(self, values: np.ndarray, name: str) -> np.ndarray:
        return self._on_host(self._all_sum, values, f"host.{name}")

    def maximum_numpy(self, values: np.ndarray, name: str) -> np.ndarray:
        return self._on_host(self._all_maximum, values, f"host.{name}")

    def alltoall_numpy(
        self, rows: np.ndarray, sent: Sequence[int], received: Sequence[int], name: str
    ) -> np.ndarray:
        def carry(tensor: tf.Tensor, tag: str) -> tf.Tensor:
            return self._alltoall(tensor, sent, received, tag)

        return self._on_host(carry, rows, f"host.{name}", *sent, *received)

    def exchange_numpy(self, slabs: np.ndarray, name: str) -> np.ndarray:
        def carry(tensor: tf.Tensor, tag: str) -> tf.Tensor:
            return self._exchange(tf.ensure_shape(tensor, slabs.shape), tag)

        return self._on_host(carry, slabs, f"host.{name}")

    def broadcast_numpy(self, values: np.ndarray, source: int, name: str) -> np.ndarray:
        def carry(tensor: tf.Tensor, tag: str) -> tf.Tensor:
            return self._broadcast(tensor, source, tag)

        return self._on_host(carry, values, f"host.{name}", source)

    @unconverted
    def _on_host(
        self,
        collective: Callable[[tf.Tensor, str], tf.Tensor],
        array: np.ndarray,
        name: str,
        *counts: int,
    ) -> np.ndarray:
        """Apply a collective to an array, also while a function is traced.

        Compiled once for each collective with its counts, type and shape of a row.
        """
        array = np.asarray(array)
        key = (collective.__qualname__, name, array.dtype.name, array.shape[1:], counts)
        with tf.init_scope():
            if key not in self._compiled:
                signature = tf.TensorSpec([None, *array.shape[1:]], array.dtype)
                self._compiled[key] = tf.function(
                    lambda tensor: collective(tensor, name),
                    input_signature=[signature],
                    autograph=False,
                )
            found: np.ndarray = self._compiled[key](array).numpy()
        return found

    def close(self) -> None:
        hvd.shutdown()


class _Counter:
    """A number that programs count up.

    Unlike a variable, it may come while one is traced, and no program captures it: the gradient
    of a loop cannot.
    """

    def __init__(self, name: str) -> None:
        self._name = f"pdehvd.begun.{name}"
        with tf.init_scope(), tf.device("CPU:0"):
            zero = tf.constant(0, tf.int64)
            tf.raw_ops.AssignVariableOp(resource=self._place(), value=zero)

    def _place(self) -> tf.Tensor:
        return tf.raw_ops.VarHandleOp(dtype=tf.int64, shape=[], shared_name=self._name)

    def value(self) -> int:
        """Return the number, outside of programs."""
        with tf.device("CPU:0"):
            return int(tf.raw_ops.ReadVariableOp(resource=self._place(), dtype=tf.int64))

    def add_after(self, tensor: tf.Tensor) -> tf.Tensor:
        """Return the number, counted up by 1 when a tensor is there."""
        with tf.device("CPU:0"):
            place = self._place()
            with tf.control_dependencies([tensor]):
                one = tf.constant(1, tf.int64)
                added = tf.raw_ops.AssignAddVariableOp(resource=place, value=one)
            with tf.control_dependencies([added]):
                return tf.raw_ops.ReadVariableOp(resource=place, dtype=tf.int64)
