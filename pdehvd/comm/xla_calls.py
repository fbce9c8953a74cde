"""MPI's collectives as calls inside compiled XLA programs, and marks that note when they are met.

A program of many steps then stays one program on any number of processes. XLA on CPUs has no
collectives of its own between processes that TensorFlow could start, and Horovod's are operations
of TensorFlow. It can call a function of a library, though, by a name in its registry.
"""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import tensorflow as tf

from pdehvd import native
from pdehvd.comm import xla_registry

_SOURCE = Path(__file__).with_name("xla_calls.cc")
# In the order of the enumerations in xla_calls.cc.
TYPES = (tf.float32, tf.float64, tf.int32, tf.int64)
SUM, MAXIMUM, MARK, MARK_OF_STEP, GATHER, ALLTOALL, EXCHANGE, BROADCAST = range(8)
_NAMES = ("sum", "maximum", "", "", "gather", "alltoall", "exchange", "broadcast")
_TARGETS = ("reduce", "reduce", "mark", "mark", "gather", "alltoall", "exchange", "broadcast")
LARGEST = 2**30
"""Most numbers in one message: MPI counts in 32 bits."""


def calls_library() -> Path | None:
    """Return the library of calls, compiled at its first use; None without an MPI compiler."""
    beside = Path(sys.executable).with_name("mpicxx")
    compiler = str(beside) if beside.exists() else _on_path("mpicxx")
    if compiler is None:
        return None
    facts = Path(compiler).resolve().stat()
    # Another MPI in the same place is another compiler.
    key = f"{Path(compiler).absolute()} {facts.st_size} {facts.st_mtime_ns}"
    return native.compile_library(_SOURCE, [compiler], key=key)


def _on_path(name: str) -> str | None:
    import shutil

    return shutil.which(name)


@cache
def calls() -> XlaCalls | None:
    """Return the calls of this process; None where XLA computes elsewhere, or cannot know them."""
    found = calls_library()
    if found is None or tf.config.get_visible_devices("GPU"):
        return None
    try:
        return XlaCalls(found)
    except (OSError, AttributeError):
        return None


class XlaCalls:
    """Functions of tensors for programs that XLA compiles; outside of one they make one.

    Raises `OSError` or `AttributeError` where the libraries do not fit together.
    """

    def __init__(self, file: Path) -> None:
        self._library = ctypes.CDLL(str(file))
        registry = (xla_registry.GLOBAL, xla_registry.REGISTER)
        self._library.pdehvd_register(*map(xla_registry.address, registry))
        for name in ("join", "capacity", "durations", "steps", "messages", "bytes"):
            getattr(self._library, f"pdehvd_{name}").restype = ctypes.c_int64
        self._compiled = tf.function(_call, jit_compile=True, autograph=False)
        self.largest = LARGEST

    @property
    def mpi(self) -> str:
        """The version of the MPI that the library calls, in its own words."""
        text = ctypes.create_string_buffer(1 << 13)
        self._library.pdehvd_version(text)
        return text.value.decode()

    def join(self, communicator: int) -> int:
        """Return the number under which calls know the communicator at an address in memory."""
        return int(self._library.pdehvd_join(ctypes.c_void_p(communicator)))

    def begun(self, ranks: int) -> dict[str, int]:
        """Return how often programs have begun each collective of a communicator."""
        numbers = np.zeros(len(_NAMES), np.int64)
        place = numbers.ctypes.data_as(ctypes.c_void_p)
        self._library.pdehvd_begun(ctypes.c_int64(ranks), place)
        return {name: int(n) for name, n in zip(_NAMES, numbers, strict=True) if name and n}

    def sum(self, tensor: tf.Tensor, after: tf.Tensor, ranks: int) -> tf.Tensor:
        """Return the sum over ranks of a tensor of static shape, once `after` is there."""
        return self._compiled(tensor, SUM, (ranks, self.largest), tuple(tensor.shape), after)

    def __call__(
        self,
        tensor: tf.Tensor,
        operation: int,
        ranks: int = 0,
        parts: Sequence[int] = (),
        shape: Sequence[int] | None = None,
    ) -> tf.Tensor:
        """Return what an operation of a communicator makes of a tensor of static shape.

        `parts` are numbers of elements, by rank: received (`GATHER`), sent and received
        (`ALLTOALL`), or the rank that sends (`BROADCAST`); `shape` is that of the result, where
        it is another. Calls of one graph follow each other in the order in which they were asked
        for, on every rank: MPI knows them by nothing else.
        """
        graph = tf.compat.v1.get_default_graph()
        shape = tuple(tensor.shape if shape is None else shape)
        settings = (ranks, self.largest, *parts)
        before = getattr(graph, _LAST, None)
        result = self._compiled(tensor, operation, settings, shape, before)
        setattr(graph, _LAST, tf.reshape(result, [-1])[:1])
        return result if math.prod(shape) else tf.reshape(result[:0], shape)

    def durations(self) -> np.ndarray:
        """Return the seconds of the collectives since the last call, and reset them."""
        return self._taken("durations")

    def steps(self) -> np.ndarray:
        """Return the times of the marks of steps since the last call, and reset them."""
        return self._taken("steps")

    def counted(self) -> tuple[int, int]:
        """Return the marks so far, and their bytes."""
        return int(self._library.pdehvd_messages()), int(self._library.pdehvd_bytes())

    def _taken(self, name: str) -> np.ndarray:
        numbers = np.empty(int(self._library.pdehvd_capacity()))
        take = getattr(self._library, f"pdehvd_{name}")
        count = take(numbers.ctypes.data_as(ctypes.c_void_p))
        taken: np.ndarray = numbers[: int(count)].copy()
        return taken


# The attribute of a graph that holds the last call in it.
_LAST = "_pdehvd_last_call"


def _call(
    tensor: tf.Tensor,
    operation: int,
    settings: tuple[int, ...],
    shape: tuple[int, ...],
    before: tf.Tensor | None,
) -> tf.Tensor:
    from tensorflow.compiler.tf2xla.python import xla

    ranks, *rest = settings
    meaning = [operation, TYPES.index(tensor.dtype), ranks, tensor.shape.num_elements(), *rest]
    operands: list[tf.Tensor] = [tensor, tf.constant(meaning, tf.int64)]
    operands += [] if before is None else [before]
    # Nothing could wait for a result without elements. Without a side effect the same sum of the
    # same numbers could be moved out of a loop.
    (result,) = xla.custom_call_v2(
        f"pdehvd_{_TARGETS[operation]}",
        operands,
        [tf.TensorSpec(shape if math.prod(shape) else [1], tensor.dtype)],
        has_side_effect=True,
    )
    # TensorFlow drops what has no effect and no reader; XLA makes nothing of an assertion.
    with tf.control_dependencies([result]):
        tf.raw_ops.Assert(condition=True, data=[0])
    return result
