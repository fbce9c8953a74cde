"""TensorFlow's first words: it logs to stderr before anything can tell it not to."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import IO


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Keep what native code writes to stderr, and show it only where the block fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with _file() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            file.seek(0)
            os.write(2, file.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _file() -> IO[bytes]:
    """Return a file in memory where the system has such: no folder may take a temporary one."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("stderr"), "w+b")
    return tempfile.TemporaryFile()


def import_tensorflow() -> ModuleType:
    """Return TensorFlow, imported without its greeting.

    What only describes a run imports it here, when something is computed: it takes seconds.
    """
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with silent_stderr():
            import tensorflow
        # Its warnings, such as those about retracing, are for people who write TensorFlow.
        tensorflow.get_logger().setLevel("ERROR")
    return sys.modules["tensorflow"]
