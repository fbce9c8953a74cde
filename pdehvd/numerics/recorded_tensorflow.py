"""TensorFlow's functions of `Recorded` values: `tf.sin(x)` is noted as `np.sin(x)` is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import tensorflow as tf

from pdehvd.numerics.recorded import Condition, Recorded, call, where


class _Dispatcher(tf.__internal__.dispatch.GlobalOpDispatcher):  # type: ignore[misc]
    """Asked by TensorFlow where an argument of a function is not a tensor, as by Keras."""

    def handle(
        self, function: Callable[..., object], given: Sequence[object], named: Mapping[str, object]
    ) -> object:
        """Return what is noted for a call."""
        arguments = [*given, *(value for key, value in named.items() if key != "name")]
        if not any(isinstance(one, Recorded | Condition) for one in arguments):
            return self.NOT_SUPPORTED
        name = function.__name__.removesuffix("_v2")
        if name == "where" and len(arguments) == 3:
            return where(*arguments)
        return call(name, *arguments)


@cache
def dispatch() -> None:
    """Have TensorFlow ask; once, and only about values that it cannot convert."""
    _Dispatcher().register()
