"""Gradients of several numbers, from which the weights of terms are balanced."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf


def gradients_of(targets: Callable[[], Sequence[tf.Tensor]], theta: tf.Tensor) -> tf.Tensor:
    """Return the gradients [T, P] of T numbers by theta [P]."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(theta)
        values = targets()
    none = tf.UnconnectedGradients.ZERO
    return tf.stack([tape.gradient(value, theta, unconnected_gradients=none) for value in values])
