"""What an optimizer is: a rule from global numbers to the next parameters, with explicit state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import tensorflow as tf

from pdehvd.objectives.objective import Batch, Evaluation, PDEObjective

State = dict[str, tf.Tensor]
Facts = dict[str, tf.Tensor]


@dataclass(frozen=True)
class Needs:
    """What a method needs of the objective; a config that cannot supply it is refused."""

    least_squares: bool = False
    fixed_batch: bool = False
    float64: bool = False


@dataclass(frozen=True)
class BoundObjective:
    """The objective on one batch with one set of weights: a function of theta alone."""

    objective: PDEObjective
    batch: Batch
    weights: tf.Tensor

    def evaluate(self, theta: tf.Tensor) -> Evaluation:
        """Return the global loss, its terms and its gradient [P]."""
        return self.objective.evaluate(theta, self.batch, self.weights)


class Optimizer(ABC):
    """A pure rule and a thin state; holds no communication and knows no rank."""

    needs = Needs()
    facts: tuple[str, ...] = ()

    @abstractmethod
    def init(self, theta: tf.Tensor) -> State:
        """Return the state before the first step."""

    @abstractmethod
    def step(
        self, objective: BoundObjective, theta: tf.Tensor, state: State
    ) -> tuple[tf.Tensor, State, Evaluation, Facts]:
        """Return the next theta [P] and state, the evaluation at the old theta, and facts."""
