"""What every objective offers: a loss of flat parameters that is the same on every rank."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np

from pdehvd.comm.group import Group
from pdehvd.models.parametrized import Layout
from pdehvd.numerics.vectors import Replicated, Vectors
from pdehvd.objectives.abilities import SampledCurvature, SumOfSquares, TermMeasures
from pdehvd.objectives.evaluation import Evaluation

if TYPE_CHECKING:
    import tensorflow as tf

# What a rank holds of a batch: the points of blocks, or samples.
Batch = TypeVar("Batch")


class Whole(ABC):
    """All points or samples of a batch, for one process alone: nothing here is a collective.

    `moments` [M] are the averages that a network normalises with, if it does.
    """

    @abstractmethod
    def losses(self, theta: tf.Tensor, moments: tf.Tensor) -> np.ndarray:
        """Return each term's loss [T]."""

    @abstractmethod
    def where_not_finite(self, theta: tf.Tensor, moments: tf.Tensor) -> str:
        """Return a term whose loss or gradient is not finite, and one place; or nothing."""


class Objective(ABC, Generic[Batch]):
    """A loss L = sum_k w_k L_k of the parameters theta [P] on a batch; all numbers are global.

    `period` is the number of steps between new batches, None where the first one is kept;
    `points` the number of points at which fields are evaluated in a step, `batch_size` that of the
    equations' points or of samples. `signed` says whether L may be negative: an energy. `vectors`
    says how theta and its gradient lie over ranks: one object, as long as the objective lives.
    """

    group: Group
    dtype: tf.DType
    terms: tuple[str, ...]
    period: int | None
    points: int
    batch_size: int
    signed = False
    vectors: Vectors = Replicated()

    @property
    def compiled(self) -> bool:
        """Whether XLA may take a loop of whole steps."""
        return False

    @property
    def squares(self) -> SumOfSquares[Batch] | None:
        """The loss as a sum of squares, where it is one."""
        return None

    @property
    def curvature(self) -> SampledCurvature[Batch] | None:
        """Samples of the loss's curvature, where it is known."""
        return None

    @property
    def term_measures(self) -> TermMeasures[Batch] | None:
        """What weights of several terms are balanced by, where it is known."""
        return None

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of parameters P."""

    def points_at(self, step: int) -> int:
        """Return the number of points of the step after `step` steps: `points`, or fewer."""
        return self.points

    @property
    def layout(self) -> Layout:
        """Names and shapes of the network's parameters, in the order of theta; others follow.

        They are those of the whole theta [P], also where a rank has a piece of it.
        """
        return ()

    @abstractmethod
    def initial(self, seed: int) -> np.ndarray:
        """Return theta [P] at the start; the same on every rank."""

    def initial_moments(self) -> np.ndarray:
        """Return the moving averages [M] of the batches' statistics at the start."""
        return np.zeros(0, self.dtype.as_numpy_dtype)

    def averaged(self, moments: tf.Tensor, fresh: tf.Tensor | None) -> tf.Tensor:
        """Return the moving averages [M] after a batch with the statistics `fresh`."""
        return moments

    def unknowns(self, theta: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the numbers to be discovered, by name."""
        return {}

    @abstractmethod
    def batch(self, round_: int, selection: np.ndarray | None = None) -> Batch:
        """Return this rank's shard of a round's batch; `selection` [N] is that of `select`."""

    def select(self, theta: tf.Tensor, round_: int) -> np.ndarray | None:
        """Return the global indices of the candidates that a round trains on; None: no choice."""
        return None

    @abstractmethod
    def evaluate(self, theta: tf.Tensor, batch: Batch, weights: tf.Tensor) -> Evaluation:
        """Return the global loss and gradient."""

    @abstractmethod
    def whole(self, round_: int | None, selection: np.ndarray | None = None) -> Whole:
        """Return all of a round's points or samples; without a round as many that no round has.

        What a config gives point by point is the same in both.
        """

    @abstractmethod
    def losses_at(self, thetas: tf.Tensor, batch: Batch, weights: tf.Tensor) -> tf.Tensor:
        """Return the global losses [K] at several thetas [K, P]; one collective for all."""


# The batch is the objective's own affair.
AnyObjective: TypeAlias = Objective[Any]
