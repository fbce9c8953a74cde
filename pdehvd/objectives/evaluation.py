"""The global numbers at one theta."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import tensorflow as tf


class Evaluation(NamedTuple):
    """Global numbers at one theta: the weighted loss [], each term's loss [T], the gradient [P].

    `moments` [M] are the statistics of the batch that a network normalises with, if it does.

    Arguments:
        loss: sum_k w_k L_k
        losses: L_k [T]
        gradient: of the loss [P]
        moments: [M] or None

    >>> at = Evaluation(tf.constant(3.0), tf.constant([1.0, 2.0]), tf.zeros([4]))
    >>> float(at.loss), at.gradient.shape
    (3.0, TensorShape([4]))
    """

    loss: tf.Tensor
    losses: tf.Tensor
    gradient: tf.Tensor
    moments: tf.Tensor | None = None
