"""A plug-in with an optimizer: gradient descent whose step length follows from two gradients.

Barzilai, Borwein, IMA Journal of Numerical Analysis 8 (1988).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import tensorflow as tf
from pydantic import Field

from pdehvd.comm.group import Group
from pdehvd.objectives.evaluation import Evaluation
from pdehvd.optimizers.base import (
    PIECES,
    BoundObjective,
    Facts,
    Needs,
    Optimizer,
    OptimizerSpec,
    State,
)
from pdehvd.spec import register


class BarzilaiBorwein(Optimizer):
    """theta <- theta - a g with a = (s.s) / (s.y), s and y the last changes of theta and g."""

    facts = ("learning_rate",)

    def __init__(self, initial: float, largest: float) -> None:
        self._initial = initial
        self._largest = largest

    def init(self, theta: tf.Tensor) -> State:
        """Return the state before the first step: no change is known yet."""
        return {"theta": tf.identity(theta), "gradient": tf.zeros_like(theta)}

    def step(
        self, objective: BoundObjective, theta: tf.Tensor, state: State
    ) -> tuple[tf.Tensor, State, Evaluation, Facts]:
        """Return the next theta [P] and state, the evaluation at the old theta, and the rate."""
        at = objective.evaluate(theta)
        change, bend = theta - state["theta"], at.gradient - state["gradient"]
        pairs = [(change, bend), (change, change)]
        curvature, square = objective.vectors.dots(pairs, "barzilai_borwein")
        rate = square / curvature
        initial = tf.constant(self._initial, theta.dtype)
        rate = tf.where(curvature > 0, tf.minimum(rate, self._largest), initial)
        state = {"theta": theta, "gradient": at.gradient}
        return theta - rate * at.gradient, state, at, {"learning_rate": rate}


@register("optimizer")
class BarzilaiBorweinSpec(OptimizerSpec):
    """Gradient descent with the step length of Barzilai and Borwein."""

    needs: ClassVar[Needs] = PIECES
    name: Literal["barzilai_borwein"] = "barzilai_borwein"
    initial: float = Field(1e-3, gt=0, description="step length if the curvature is not positive")
    largest: float = Field(0.1, gt=0, description="bound on the step length")

    def build(self, group: Group) -> BarzilaiBorwein:
        """Return the optimizer."""
        return BarzilaiBorwein(self.initial, self.largest)
