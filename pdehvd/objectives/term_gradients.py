"""Gradients of a shard term by term, from which weights are balanced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import tensorflow as tf

from pdehvd.objectives.base import Batch


class PointLosses(Protocol):
    """What is asked of an objective at points, of this rank's shard alone."""

    def shares(self, theta: tf.Tensor, batch: Batch) -> list[tf.Tensor]:
        """Return this rank's part of each term's loss."""
        ...

    def residuals(self, theta: tf.Tensor, batch: Batch) -> list[tf.Tensor | None]:
        """Return this rank's residuals of each term, [n, R]; None where it has no item."""
        ...


def of_losses(objective: PointLosses, theta: tf.Tensor, batch: Batch) -> tf.Tensor:
    """Return this shard's part of the gradient of each term's loss, [T, P]."""
    return _gradients(lambda: objective.shares(theta, batch), theta)


def of_signed_sums(
    objective: PointLosses, theta: tf.Tensor, batch: Batch, signs: Sequence[tf.Tensor]
) -> tf.Tensor:
    """Return this shard's part of J_k^T v_k for n signs v_k of each term's items, [T, P]."""

    def sums() -> list[tf.Tensor]:
        return [
            tf.zeros([], theta.dtype) if r is None else tf.reduce_sum(r * tf.reshape(v, [-1, 1]))
            for r, v in zip(objective.residuals(theta, batch), signs, strict=True)
        ]

    return _gradients(sums, theta)


def _gradients(targets: Callable[[], list[tf.Tensor]], theta: tf.Tensor) -> tf.Tensor:
    """Return the gradients [T, P] of T numbers."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(theta)
        values = targets()
    none = tf.UnconnectedGradients.ZERO
    return tf.stack([tape.gradient(value, theta, unconnected_gradients=none) for value in values])
