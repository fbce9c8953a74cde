"""A plug-in with which runs of `make torture` compile and draw nothing.

Both would take longer than all the rest of a case.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from matplotlib.figure import Figure

from pdehvd.comm import xla_calls

# The first bytes of a picture.
_PICTURE = b"\x89PNG\r\n\x1a\n"


def _without_xla() -> None:
    """Let XLA compile nothing but sums, which are nothing outside of it."""
    whole = tf.function
    xla_calls.calls()

    def plain(*arguments: Any, jit_compile: bool = False, **options: Any) -> Any:
        return whole(*arguments, **options)

    tf.function = plain


def _without_pictures() -> None:
    """Make every figure an empty picture."""
    Figure.savefig = lambda figure, file, **options: file.write(_PICTURE)  # type: ignore[method-assign]


_without_xla()
_without_pictures()
