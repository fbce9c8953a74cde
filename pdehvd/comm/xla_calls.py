"""MPI's reductions as calls inside compiled XLA programs, and marks that note when one comes there.

A program of many steps then stays one program on any number of processes. XLA on CPUs has no
collectives of its own between processes that TensorFlow could start, and Horovod's are operations
of TensorFlow. It can call a function of a library, though, by a name in its registry.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pdehvd import native
from pdehvd.comm import xla_registry

_SOURCE = Path(__file__).with_name("xla_calls.cc")
# In the order of the enumerations in xla_calls.cc.
TYPES = (tf.float32, tf.float64, tf.int32, tf.int64)
SUM, MAXIMUM, MARK, MARK_OF_STEP = range(4)
_TARGETS = ("pdehvd_reduce", "pdehvd_reduce", "pdehvd_mark", "pdehvd_mark")


def library() -> Path | None:
    """Return the library of calls, compiled at its first use; None without an MPI compiler."""
    beside = Path(sys.executable).with_name("mpicxx")
    compiler = str(beside) if beside.exists() else _on_path("mpicxx")
    if compiler is None:
        return None
    facts = Path(compiler).resolve().stat()
    # Another MPI in the same place is another compiler.
    key = f"{Path(compiler).absolute()} {facts.st_size} {facts.st_mtime_ns}"
    return native.library(_SOURCE, [compiler], key=key)


def _on_path(name: str) -> str | None:
    import shutil

    return shutil.which(name)


@cache
def calls() -> XlaCalls | None:
    """Return the calls of this process; None where XLA computes elsewhere, or cannot know them."""
    found = library()
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
        for name in ("capacity", "durations", "steps", "messages", "bytes"):
            getattr(self._library, f"pdehvd_{name}").restype = ctypes.c_int64
        self._compiled = tf.function(_call, jit_compile=True, autograph=False)

    @property
    def mpi(self) -> str:
        """The version of the MPI that the library calls, in its own words."""
        text = ctypes.create_string_buffer(1 << 13)
        self._library.pdehvd_version(text)
        return text.value.decode()

    def join(self, communicator: int) -> None:
        """Reduce over the ranks of the communicator at an address in memory."""
        self._library.pdehvd_join(ctypes.c_void_p(communicator))

    def sum(self, tensor: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
        """Return the sum over ranks of a tensor of static shape, once `after` is there."""
        return self._compiled(tensor, SUM, after)

    def __call__(self, tensor: tf.Tensor, operation: int) -> tf.Tensor:
        """Return the reduction over ranks of a tensor of static shape, or the tensor marked.

        Calls of one graph follow each other in the order in which they were asked for, on every
        rank: MPI knows them by nothing else.
        """
        graph = tf.compat.v1.get_default_graph()
        result = self._compiled(tensor, operation, getattr(graph, _LAST, None))
        if result.shape.num_elements():
            setattr(graph, _LAST, tf.reshape(result, [-1])[:1])
        return result

    def durations(self) -> np.ndarray:
        """Return the seconds of the reductions since the last call, and reset them."""
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
        return numbers[: int(count)].copy()


# The attribute of a graph that holds the last call in it.
_LAST = "_pdehvd_last_call"


def _call(tensor: tf.Tensor, operation: int, before: tf.Tensor | None) -> tf.Tensor:
    from tensorflow.compiler.tf2xla.python import xla

    meaning = [tensor.shape.num_elements(), TYPES.index(tensor.dtype), operation]
    operands: list[Any] = [tensor, tf.constant(meaning, tf.int64)]
    operands += [] if before is None else [before]
    # Without a side effect the same sum of the same numbers could be moved out of a loop.
    (result,) = xla.custom_call_v2(
        _TARGETS[operation],
        operands,
        [tf.TensorSpec(tensor.shape, tensor.dtype)],
        has_side_effect=True,
    )
    return result
