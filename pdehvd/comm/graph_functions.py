"""TensorFlow's decorators of functions; what they decorate keeps its types."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import tensorflow as tf

Given = ParamSpec("Given")
Result = TypeVar("Result")


def graph(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """Return a function that runs as a graph, traced without AutoGraph."""
    traced: Callable[Given, Result] = tf.function(function, autograph=False)
    return traced


def compiled(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """Return a function that XLA compiles, traced without AutoGraph."""
    traced: Callable[Given, Result] = tf.function(function, jit_compile=True, autograph=False)
    return traced


def unconverted(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """Return a function that AutoGraph leaves alone where another function is traced."""
    same: Callable[Given, Result] = tf.autograph.experimental.do_not_convert(function)
    return same
