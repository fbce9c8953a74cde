"""The rules of LARS and LAMB: every layer moves by a share of its own norm.

Weights (matrices and kernels) are adapted and decayed. Biases, scales and unknowns are not: their
norms begin at zero, or mean nothing. Norms are those of the global gradient.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

import tensorflow as tf

from pdehvd.models.parametrized import Layout
from pdehvd.objectives.base import Batch
from pdehvd.objectives.evaluation import Evaluation
from pdehvd.optimizers.base import BoundObjective, Facts, Optimizer, State
from pdehvd.optimizers.clipping import clipped
from pdehvd.optimizers.schedule import Schedule

# The adapted direction of a layer, from its weights w and what it would follow, both [p].
Adapt = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class _Layer(NamedTuple):
    """Parameters that lie together, and whether they are a layer's weights."""

    size: int
    adapted: bool


def _layers(layout: Layout, size: int) -> tuple[_Layer, ...]:
    """Return the layers of all `size` parameters; those after the layout are one of their own."""
    layers = [_Layer(math.prod(shape), len(shape) > 1) for _, shape in layout]
    rest = size - sum(layer.size for layer in layers)
    return (*layers, _Layer(rest, False)) if rest else tuple(layers)


def _ratio(above: tf.Tensor, below: tf.Tensor) -> tf.Tensor:
    """Return above / below, and 1 where either is zero."""
    return tf.where(above * below > 0, tf.math.divide_no_nan(above, below), tf.ones_like(above))


class Numbers(Protocol):
    """What both rules read of their specs."""

    weight_decay: float
    clip_norm: float | None

    @property
    def schedule(self) -> Schedule:
        """The learning rate."""


class LARSNumbers(Numbers, Protocol):
    """What LARS reads of its spec."""

    momentum: float
    momentum_correction: bool
    trust: float


class LAMBNumbers(Numbers, Protocol):
    """What LAMB reads of its spec."""

    beta_1: float
    beta_2: float
    epsilon: float


NumbersT = TypeVar("NumbersT", bound=Numbers)


class Layerwise(Optimizer, Generic[NumbersT]):
    """A rule with a ratio of norms for each layer; its averages [P] are the state."""

    facts = ("learning_rate",)
    averages: tuple[str, ...]

    def __init__(self, spec: NumbersT) -> None:
        self.spec = spec
        self._layers: tuple[_Layer, ...] = ()
        self._update = tf.function(self._updated, jit_compile=True, autograph=False)

    def init(self, theta: tf.Tensor) -> State:
        state = {name: tf.zeros_like(theta) for name in self.averages}
        rate = self.spec.schedule(tf.zeros([], theta.dtype))
        return {"iteration": tf.zeros([], tf.int64), "rate": rate, **state}

    def step(
        self, objective: BoundObjective[Batch], theta: tf.Tensor, state: State
    ) -> tuple[tf.Tensor, State, Evaluation, Facts]:
        at = objective.evaluate(theta)
        self._layers = _layers(objective.layout, theta.shape[0])
        theta, state = self._update(theta, at.gradient, state)
        return theta, state, at, {"learning_rate": state["rate"]}

    def _updated(
        self, theta: tf.Tensor, gradient: tf.Tensor, state: State
    ) -> tuple[tf.Tensor, State]:
        rate = self.spec.schedule(tf.cast(state["iteration"], theta.dtype))
        change, averages = self.change(theta, clipped(gradient, self.spec.clip_norm), state, rate)
        return theta - change, {"iteration": state["iteration"] + 1, "rate": rate, **averages}

    @abstractmethod
    def change(
        self, theta: tf.Tensor, gradient: tf.Tensor, state: State, rate: tf.Tensor
    ) -> tuple[tf.Tensor, State]:
        """Return what is taken from theta [P], and the new averages; `state` has the last rate."""

    def layer_by_layer(self, theta: tf.Tensor, direction: tf.Tensor, adapt: Adapt) -> tf.Tensor:
        """Return the direction [P], adapted in the layers' weights."""
        sizes = [layer.size for layer in self._layers]
        parts = zip(self._layers, tf.split(theta, sizes), tf.split(direction, sizes), strict=True)
        return tf.concat([adapt(w, d) if layer.adapted else d for layer, w, d in parts], 0)


class LARSRule(Layerwise[LARSNumbers]):
    """v <- m v + eta trust |w| / (|g| + decay |w|) (g + decay w), w <- w - v."""

    averages = ("velocity",)

    def change(
        self, theta: tf.Tensor, gradient: tf.Tensor, state: State, rate: tf.Tensor
    ) -> tuple[tf.Tensor, State]:
        spec = self.spec

        def adapt(w: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
            below = tf.norm(g) + spec.weight_decay * tf.norm(w)
            return spec.trust * _ratio(tf.norm(w), below) * (g + spec.weight_decay * w)

        velocity = spec.momentum * state["velocity"]
        if spec.momentum_correction:
            velocity *= tf.math.divide_no_nan(rate, state["rate"])
        velocity += rate * self.layer_by_layer(theta, gradient, adapt)
        return velocity, {"velocity": velocity}


class LAMBRule(Layerwise[LAMBNumbers]):
    """w <- w - eta |w| (r + decay w) / |r + decay w|, r the direction of Adam."""

    averages = ("mean", "square")

    def change(
        self, theta: tf.Tensor, gradient: tf.Tensor, state: State, rate: tf.Tensor
    ) -> tuple[tf.Tensor, State]:
        spec = self.spec

        def adapt(w: tf.Tensor, r: tf.Tensor) -> tf.Tensor:
            u = r + spec.weight_decay * w
            return _ratio(tf.norm(w), tf.norm(u)) * u

        steps = tf.cast(state["iteration"] + 1, theta.dtype)
        mean = spec.beta_1 * state["mean"] + (1 - spec.beta_1) * gradient
        square = spec.beta_2 * state["square"] + (1 - spec.beta_2) * tf.square(gradient)
        size = tf.sqrt(square / (1 - tf.pow(tf.constant(spec.beta_2, theta.dtype), steps)))
        ahead = mean / (1 - tf.pow(tf.constant(spec.beta_1, theta.dtype), steps))
        moved = self.layer_by_layer(theta, ahead / (size + spec.epsilon), adapt)
        return rate * moved, {"mean": mean, "square": square}
