"""What an objective may offer besides its loss and gradient; not every loss has it.

All numbers are global, the same bits on every rank; theta [P] is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

    from pdehvd.objectives.least_squares import LeastSquares

_Batch = TypeVar("_Batch", contravariant=True)


class SumOfSquares(Protocol[_Batch]):
    """A loss |rho|^2 with rows rho [N] that can be made linear."""

    @property
    def rows(self) -> int:
        """Global number N of residuals."""

    @property
    def layered(self) -> bool:
        """Whether all parameters are those of layers z = W a + b."""

    def linearize(self, theta: np.ndarray, batch: _Batch, weights: tf.Tensor) -> LeastSquares:
        """Return the rows and their Jacobian at theta."""


class SampledCurvature(Protocol[_Batch]):
    """A loss whose curvature by the network's values is known, and can be sampled.

    J is the Jacobian of the network's values by theta and K the positive part of the loss's
    Hessian by these values: J^T K J is the generalised Gauss-Newton matrix.
    """

    def sample(self, theta: tf.Tensor, batch: _Batch, weights: tf.Tensor, number: int) -> tf.Tensor:
        """Return the `number`th s [P] with E[s s^T] = J^T K J; the same on any number of ranks."""


class TermMeasures(Protocol[_Batch]):
    """Sizes of the terms of a loss, from which their weights are balanced."""

    dtype: tf.DType

    @property
    def counts(self) -> np.ndarray:
        """Global number of items of each term, [T] float64."""

    def pieces(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return this rank's of `count` items in pieces [k, c], and which of them count [k, c]."""

    def term_gradients(self, theta: tf.Tensor, batch: _Batch) -> tf.Tensor:
        """Return the gradient of each term's loss, [T, P]."""

    def kernel_traces(
        self, theta: tf.Tensor, batch: _Batch, signs: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """Return an estimate of the trace of each term's tangent kernel over N_k, [T].

        `signs` holds this rank's random signs for each term's items, as `pieces` says.
        """
