"""Measures what an allreduce costs on the processes at hand."""

from __future__ import annotations

import statistics
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.comm import backend
from pdehvd.launch import ranks
from pdehvd.launch.processes_spec import ProcessesSpec
from pdehvd.scaling import machine_limits
from pdehvd.spec.plain import Facts

if TYPE_CHECKING:
    import tensorflow as tf

    from pdehvd.comm.group import Group
    from pdehvd.comm.mpi import World
    from pdehvd.comm.xla_calls import XlaCalls

DTYPES = ("float32", "float64")
BATCHES = 5
# Seconds for all batches of one size, and the fewest and most allreduces of a batch.
_BUDGET, _FEWEST, _MOST = 0.25, 1, 100


def sizes(largest: int) -> tuple[int, ...]:
    """Return the message sizes in bytes: 1 KiB, then four times as much each, up to `largest`."""
    found = []
    size = 1024
    while size <= largest:
        found.append(size)
        size *= 4
    return tuple(found) if not found or found[-1] == largest else (*found, largest)


def time_allreduces(largest: int, say: Callable[[str], None] = lambda text: None) -> Facts:
    """Return the times of allreduces on this job's processes; every rank calls it, none is alone.

    `samples` hold `library`, `dtype`, `bytes` and the seconds of one allreduce in each of
    `BATCHES` batches. `copy` is bytes per second that one process copies in memory while all do
    so, `reduction` seconds to add one byte to another by dtype, `link` the bits per second that
    the machine's network card claims, or None. Raw MPI is measured before Horovod starts, for
    Horovod's thread would share its core and its connections.
    """
    samples: list[Facts] = []
    raw = _raw_mpi() if ranks.starts_mpi() else None
    if raw is not None:
        samples += _each("mpi4py", largest, raw, say)
        inside = _inside_xla(raw)
        samples += _each("mpi", largest, inside, say) if inside else []
    group = backend.group(ProcessesSpec(collectives="horovod"))
    samples += _each(group.library, largest, _Horovod(group), say)
    facts = {
        "processes": group.size,
        "hosts": max(1, group.size // group.local_size),
        "samples": samples,
        "copy": machine_limits.copy(group),
        "reduction": {dtype: machine_limits.reduction(group, dtype) for dtype in DTYPES},
        "link": machine_limits.link(),
    }
    group.barrier()
    group.close()
    return facts


class _Loop(ABC):
    """Repeats allreduces; `run` returns the seconds of `count` of them, one after another."""

    @abstractmethod
    def prepare(self, size: int, dtype: str) -> None:
        """Make ready for messages of `size` bytes."""

    @abstractmethod
    def run(self, count: int) -> float:
        """Return the seconds of so many allreduces."""

    @abstractmethod
    def agree(self, number: float) -> float:
        """Return rank 0's number on all ranks."""


class _InTensorFlow(_Loop):
    """As a step has it: one packed allreduce inside `tf.function`, each needs the one before."""

    compiled: bool

    @abstractmethod
    def repeat(self, tensor: tf.Tensor, count: tf.Tensor, name: str) -> tf.Tensor:
        """Return something that needs `count` allreduces of a tensor."""

    def prepare(self, size: int, dtype: str) -> None:
        import tensorflow as tf

        self.tf = tf
        name = f"net.{dtype}.{size}"
        self.repeated = tf.function(
            lambda tensor, count: self.repeat(tensor, count, name),
            jit_compile=self.compiled,
            autograph=False,
        )
        self.tensor = tf.zeros([size // np.dtype(dtype).itemsize], dtype)

    def run(self, count: int) -> float:
        before = time.perf_counter()
        self.repeated(self.tensor, self.tf.constant(count)).numpy()
        return time.perf_counter() - before

    def loop(self, step: Callable[[tf.Tensor], tf.Tensor], start: tf.Tensor, count: tf.Tensor):  # type: ignore[no-untyped-def]
        """Return what `count` steps, one after the other, make of the start."""
        tf = self.tf
        return tf.while_loop(
            lambda i, _: i < count,
            lambda i, one: (i + 1, step(one)),
            (tf.zeros([], tf.int32), start),
            parallel_iterations=1,
        )[1]


class _Horovod(_InTensorFlow):
    """Horovod's allreduce."""

    compiled = False

    def __init__(self, group: Group) -> None:
        self.group = group

    def repeat(self, tensor: tf.Tensor, count: tf.Tensor, name: str) -> tf.Tensor:
        return self.loop(lambda one: self.group.sum([one], name)[0], tensor, count)[:1]

    def agree(self, number: float) -> float:
        return float(np.frombuffer(self.group.broadcast_bytes(np.float64(number).tobytes()))[0])


class _InXLA(_InTensorFlow):
    """MPI's allreduce inside a compiled program, from memory of its own as a gradient has it."""

    compiled = True

    def __init__(self, calls: XlaCalls, ranks: int, mpi: _MPI) -> None:
        self.calls, self.ranks, self.mpi = calls, ranks, mpi

    def repeat(self, tensor: tf.Tensor, count: tf.Tensor, name: str) -> tf.Tensor:
        return self.loop(lambda one: self.calls.sum(tensor, one, self.ranks)[:1], tensor[:1], count)

    def agree(self, number: float) -> float:
        return self.mpi.agree(number)


class _MPI(_Loop):
    """MPI's own allreduce on NumPy's memory; what is sent is kept, as a tensor is."""

    def __init__(self, world: World) -> None:
        self.world = world

    def prepare(self, size: int, dtype: str) -> None:
        # Zeros that have never been written are one page for all of them.
        self.sent = np.ones(size // np.dtype(dtype).itemsize, dtype)
        self.received = np.ones_like(self.sent)

    def run(self, count: int) -> float:
        before = time.perf_counter()
        for _ in range(count):
            self.world.allreduce(self.sent, self.received)
        return time.perf_counter() - before

    def agree(self, number: float) -> float:
        return self.world.broadcast(number)


def _raw_mpi() -> _MPI | None:
    """Return MPI without Horovod, or None where mpi4py is missing."""
    try:
        from pdehvd.comm.mpi import World
    except (ImportError, RuntimeError):
        return None
    return _MPI(World())


def _inside_xla(mpi: _MPI) -> _InXLA | None:
    """Return MPI inside compiled programs, or None where a rank cannot do that."""
    from pdehvd.comm.xla_calls import calls

    known = calls()
    joined = mpi.world.join(known)
    return _InXLA(known, joined, mpi) if joined is not None and known is not None else None


def _each(library: str, largest: int, loop: _Loop, say: Callable[[str], None]) -> list[Facts]:
    """Return the samples of one library over dtypes and sizes."""
    found = []
    for dtype in DTYPES:
        for size in sizes(largest):
            seconds = _timed(loop, size, dtype)
            say(f"{library} {dtype} {size} bytes: {statistics.median(seconds) * 1e6:.1f} us")
            found.append({"library": library, "dtype": dtype, "bytes": size, "seconds": seconds})
    return found


def _timed(loop: _Loop, size: int, dtype: str) -> list[float]:
    """Return the seconds of one allreduce in each batch; the first ones only warm up."""
    loop.prepare(size, dtype)
    loop.run(2)
    once = loop.run(2) / 2
    count = int(loop.agree(min(_MOST, max(_FEWEST, _BUDGET / BATCHES / max(once, 1e-7)))))
    return [loop.run(count) / count for _ in range(BATCHES)]
