"""The global numbers at one theta."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import tensorflow as tf


class Evaluation(NamedTuple):
    """Global numbers at one theta: the weighted loss [], each term's loss [T], the gradient [P].

    `moments` [M] are the statistics of the batch that a network normalises with, if it does.
    """

    loss: tf.Tensor
    losses: tf.Tensor
    gradient: tf.Tensor
    moments: tf.Tensor | None = None
