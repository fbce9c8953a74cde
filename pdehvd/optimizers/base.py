"""What an optimizer is: a rule from global numbers to the next parameters, with explicit state."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import numpy as np
from pydantic import Field

from pdehvd.comm.group import Group
from pdehvd.errors import PdehvdError, within
from pdehvd.models.parametrized import Layout
from pdehvd.numerics.divided import Arrays, Stored
from pdehvd.numerics.vectors import Vectors
from pdehvd.objectives.base import Batch, Objective
from pdehvd.objectives.evaluation import Evaluation
from pdehvd.objectives.protocols import AllAt, Point
from pdehvd.optimizers.schedule import ConstantRate, LearningRate, Schedule
from pdehvd.spec import Spec

if TYPE_CHECKING:
    import tensorflow as tf

# Tensors of a compiled rule; arrays, numbers and matrices of one that runs in Python.
State = dict[str, "tf.Tensor"]
Facts = dict[str, "tf.Tensor"]
# The protocol of `objectives/protocols.py` that a method needs.
Asked = TypeVar("Asked", contravariant=True)


@dataclass(frozen=True)
class Needs:
    """What a method needs of the objective; a config that cannot supply it is refused.

    `layers` means a network whose parameters are those of layers z = W^T a + b alone;
    `fixed_batch` is the least number of steps for which the points must stay the same.
    `whole` says why theta has to be whole on every rank. It is empty where pieces will do: all sums
    over entries of theta and of the gradient are those of `objective.vectors`.
    """

    least_squares: bool = False
    layers: bool = False
    float64: bool = False
    fixed_batch: int = 1
    whole: str = "it does not declare that it takes its sums from objective.vectors"


PIECES = Needs(whole="")
"""The needs of a method for any loss, and for theta in pieces."""


class StalledError(PdehvdError):
    """A method finds no better parameters, even after it has restarted itself."""


def stalled(finding: str, loss: float, gradient: np.ndarray, vectors: Vectors) -> StalledError:
    """Return the error of a method for which no step lowers the loss, with the cause if one shows.

    `gradient` [P] or a multiple of it.
    """
    size = vectors.maximum(gradient)
    square = float(np.square(gradient.dtype.type(size)))
    text = f"{finding} {loss:.3e}, whose gradient has entries of up to {size:.1e}"
    if loss == 0:
        text = "the loss is 0, and cannot be lower"
    elif size == 0:
        text = f"the gradient of the loss {loss:.3e} is zero"
    elif not float(np.finfo(gradient.dtype).tiny) < square < math.inf:
        extreme = "small" if size < 1 else "large"
        text += f": so {extreme} that {gradient.dtype} does not hold their squares; scale the terms"
    return StalledError(text)


@dataclass(frozen=True)
class BoundObjective(Generic[Batch]):
    """The objective on one batch with one set of weights: a function of theta alone.

    >>> from pdehvd.assembly.build import build_parts
    >>> from pdehvd.comm.group import Solo
    >>> whole = build_parts(experiment, Solo()).objective  # of an `Experiment` with 2 terms
    >>> bound = BoundObjective(whole, whole.batch(0), tf.ones([2], tf.float64))
    >>> at = bound.evaluate(tf.constant(whole.initial(seed=1)))
    >>> at.losses.shape, at.gradient.shape == (whole.size,)
    (TensorShape([2]), True)
    """

    objective: Objective[Batch]
    batch: Batch
    weights: tf.Tensor

    @property
    def layout(self) -> Layout:
        """Names and shapes of the network's parameters, in the order of theta; others follow."""
        return self.objective.layout

    @property
    def vectors(self) -> Vectors:
        """How theta and its gradient lie over ranks, with their inner products and norms."""
        return self.objective.vectors

    def evaluate(self, theta: tf.Tensor) -> Evaluation:
        """Return the global loss, its terms and its gradient [P].

        Arguments:
            theta: parameters [P]
        """
        return self.objective.evaluate(theta, self.batch, self.weights)


class Optimizer(ABC):
    """A pure rule of TensorFlow operations, so that many steps compile into one call.

    Inner products and norms are those of `objective.vectors`.

    >>> class Descent(Optimizer):
    ...     def init(self, theta):
    ...         return {}
    ...     def step(self, objective, theta, state):
    ...         at = objective.evaluate(theta)
    ...         return theta - 0.1 * at.gradient, state, at, {}
    >>> class Bowl:  # stands for a `BoundObjective`
    ...     def evaluate(self, theta):
    ...         square = tf.reduce_sum(theta**2)
    ...         return Evaluation(square, square[None], 2 * theta)
    >>> theta, _, at, _ = Descent().step(Bowl(), tf.constant([1.0]), {})
    >>> round(float(theta[0]), 6), float(at.loss)
    (0.8, 1.0)
    """

    needs = Needs()
    facts: tuple[str, ...] = ()

    @abstractmethod
    def init(self, theta: tf.Tensor) -> State:
        """Return the state before the first step.

        Arguments:
            theta: parameters [P]
        """

    @abstractmethod
    def step(
        self, objective: BoundObjective[Batch], theta: tf.Tensor, state: State
    ) -> tuple[tf.Tensor, State, Evaluation, Facts]:
        """Return the next theta [P] and state, the evaluation at the old theta, and facts.

        Arguments:
            objective: a function of theta alone
            theta: parameters [P]
            state: tensors by name, of fixed shapes
        """


class HostOptimizer(ABC, Generic[Asked]):
    """A rule that runs in Python between compiled evaluations: its step takes milliseconds.

    Sees global numbers only, so that every rank takes the same decisions, and names the protocol
    that it needs of its objective: `HostOptimizer[GradientAt]`. Inner products, norms and
    comparisons are those of `objective.vectors`. If its matrices are divided over ranks, a type of
    `numerics/linalg.py` holds the group.

    >>> from pdehvd.objectives.protocols import GradientAt
    >>> class Descent(HostOptimizer[GradientAt]):
    ...     def init(self, theta):
    ...         return {}
    ...     def step(self, objective, theta, state):
    ...         theta = theta - 0.1 * objective.evaluate(theta).gradient
    ...         return theta, state, objective.evaluate(theta), {}
    >>> class Bowl:  # stands for a `HostObjective`
    ...     def evaluate(self, theta):
    ...         return Point(theta @ theta, np.array([theta @ theta]), 2 * theta)
    >>> theta, _, point, _ = Descent().step(Bowl(), np.array([1.0]), {})
    >>> round(float(theta[0]), 6), round(float(point.loss), 6)
    (0.8, 0.64)
    """

    needs = Needs()
    facts: tuple[str, ...] = ()

    @abstractmethod
    def init(self, theta: np.ndarray) -> State:
        """Return the state before the first step.

        Arguments:
            theta: parameters [P]
        """

    @abstractmethod
    def step(
        self, objective: Asked, theta: np.ndarray, state: State
    ) -> tuple[np.ndarray, State, Point, Facts]:
        """Return the next theta [P] and state, the last point that was evaluated, and facts.

        That is the point at the next theta wherever a method has to look there anyway.
        What is in the given state may be changed in place: only the returned one is valid then.
        Raises `StalledError` where no better theta can be found.

        Arguments:
            objective: what the method asks of it, at any theta
            theta: parameters [P]
            state: what `init` or the last step has returned
        """

    def kept(self, state: State) -> Arrays:
        """Return what a checkpoint keeps of the state; every rank has its part.

        Arguments:
            state: that of this rank
        """
        return {name: np.asarray(value) for name, value in state.items()}

    def restored(self, stored: Stored, layout: Layout) -> State:
        """Return this rank's state from what `kept` has returned, maybe on other ranks.

        Arguments:
            stored: arrays by name
            layout: names and shapes of the parameters
        """
        return {name: stored.whole(name) for name in stored.names}


class OptimizerSpec(Spec):
    """Base of the specs of optimizers."""

    needs: ClassVar[Needs] = Needs()

    name: str
    steps: int | None = Field(
        None, ge=1, description="in a list of phases: number of steps; null: all remaining ones"
    )

    def suited(self, objective: Objective[Batch]) -> OptimizerSpec:
        """Return the spec of the method for this kind of objective; most serve all.

        Raises `ConfigError` for a key that means nothing there.
        """
        return self

    def resolved(self, batch: int, steps: int) -> OptimizerSpec:
        """Return the spec with a learning rate for the global `batch` and `steps` steps.

        Raises `ConfigError` where the rate's warm-up does not end within the steps.
        """
        rate = getattr(self, "learning_rate", None)
        if not isinstance(rate, Schedule):
            return self
        with within("learning_rate"):
            return self.model_copy(update={"learning_rate": rate.resolved(batch, steps)})

    @abstractmethod
    def build(self, group: Group) -> Optimizer | HostOptimizer[AllAt]:
        """Return the optimizer; `group` is for matrices that are divided over its ranks."""

    @property
    def keeps_memory(self) -> bool:
        """Whether large matrices come and go every step, so that freed memory is worth keeping."""
        return False

    def bytes_needed(self, size: int, rows: int, ranks: int) -> float:
        """Return the bytes that a process needs for matrices of P = `size` parameters, N rows."""
        return 0.0


class RatedSpec(OptimizerSpec):
    """Base of the specs of compiled rules with a learning rate."""

    learning_rate: LearningRate = ConstantRate(value=1e-3)
    clip_norm: float | None = Field(None, gt=0, description="largest norm of the global gradient")

    @property
    def schedule(self) -> Schedule:
        """The learning rate."""
        assert isinstance(self.learning_rate, Schedule)
        return self.learning_rate
