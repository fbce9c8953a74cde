"""Gradients of a bounded length."""

from __future__ import annotations

import math

import tensorflow as tf

from pdehvd.numerics.vectors import Vectors


def clipped(gradient: tf.Tensor, largest: float | None, vectors: Vectors) -> tf.Tensor:
    """Return g min(1, largest / |g|), |g| the norm over all parameters of the global gradient.

    Entries whose squares, or sums of them, no number holds become the largest that have some.
    """
    limit = tf.constant(1e-3 * math.sqrt(gradient.dtype.max), gradient.dtype)
    beyond = tf.math.is_finite(gradient) & (tf.abs(gradient) > limit)
    gradient = tf.where(beyond, tf.sign(gradient) * limit, gradient)
    if largest is None:
        return gradient
    (norm,) = vectors.norms([gradient], "clip")
    return gradient * largest / tf.maximum(norm, largest)
