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
from pdehvd.numerics.vectors import Vectors
from pdehvd.objectives.base import Batch
from pdehvd.objectives.evaluation import Evaluation
from pdehvd.optimizers.base import BoundObjective, Facts, Optimizer, State
from pdehvd.optimizers.clipping import clipped
from pdehvd.optimizers.schedule import Schedule

# From a layer's weights w and what it would follow, both [p]: what is measured of that, [p].
Measured = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
# The adapted direction [p], from the same, |w| and the norm of what is measured.
Adapt = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


class _Layer(NamedTuple):
    """This rank's parameters of a layer, and whether they are its weights."""

    size: int
    adapted: bool


class Layers(NamedTuple):
    """All layers in the order of theta; ranks may hold parts of one."""

    layers: tuple[_Layer, ...]
    vectors: Vectors

    @classmethod
    def of(cls, layout: Layout, vectors: Vectors, size: int) -> Layers:
        """Return those of a rank's `size` parameters; what follows the layout is one of its own."""
        sizes = vectors.own_sizes([math.prod(shape) for _, shape in layout])
        pairs = zip(sizes, layout, strict=True)
        layers = tuple(_Layer(own, len(shape) > 1) for own, (_, shape) in pairs)
        rest = size - sum(sizes)
        return cls((*layers, _Layer(rest, False)) if rest else layers, vectors)

    def adapted(
        self, theta: tf.Tensor, direction: tf.Tensor, measured: Measured, adapt: Adapt
    ) -> tf.Tensor:
        """Return the direction [p], adapted in all weights; one collective for their norms."""
        sizes = [layer.size for layer in self.layers]
        parts = list(zip(tf.split(theta, sizes), tf.split(direction, sizes), strict=True))
        weights = [part for layer, part in zip(self.layers, parts, strict=True) if layer.adapted]
        both = [vector for w, d in weights for vector in (w, measured(w, d))]
        norms = iter(self.vectors.norms(both, "layers"))
        found = [
            adapt(w, d, next(norms), next(norms)) if layer.adapted else d
            for layer, (w, d) in zip(self.layers, parts, strict=True)
        ]
        return tf.concat(found, 0)


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
    """A rule with a ratio of norms for each layer; its averages [P] are the state.

    A layer that is cut between ranks has the norms of all its parts.
    """

    facts = ("learning_rate",)
    averages: tuple[str, ...]

    def __init__(self, spec: NumbersT) -> None:
        self.spec = spec
        self._update = tf.function(self._updated, jit_compile=True, autograph=False)

    def init(self, theta: tf.Tensor) -> State:
        state = {name: tf.zeros_like(theta) for name in self.averages}
        rate = self.spec.schedule(tf.zeros([], theta.dtype))
        return {"iteration": tf.zeros([], tf.int64), "rate": rate, **state}

    def step(
        self, objective: BoundObjective[Batch], theta: tf.Tensor, state: State
    ) -> tuple[tf.Tensor, State, Evaluation, Facts]:
        at = objective.evaluate(theta)
        layers = Layers.of(objective.layout, objective.vectors, theta.shape[0])
        update = self._update if layers.vectors.compiles else self._updated
        theta, state = update(theta, at.gradient, state, layers)
        return theta, state, at, {"learning_rate": state["rate"]}

    def _updated(
        self, theta: tf.Tensor, gradient: tf.Tensor, state: State, layers: Layers
    ) -> tuple[tf.Tensor, State]:
        rate = self.spec.schedule(tf.cast(state["iteration"], theta.dtype))
        gradient = clipped(gradient, self.spec.clip_norm, layers.vectors)
        change, averages = self.change(theta, gradient, state, rate, layers)
        return theta - change, {"iteration": state["iteration"] + 1, "rate": rate, **averages}

    @abstractmethod
    def change(
        self,
        theta: tf.Tensor,
        gradient: tf.Tensor,
        state: State,
        rate: tf.Tensor,
        layers: Layers,
    ) -> tuple[tf.Tensor, State]:
        """Return what is taken from theta [P], and the new averages; `state` has the last rate."""


class LARSRule(Layerwise[LARSNumbers]):
    """v <- m v + eta trust |w| / (|g| + decay |w|) (g + decay w), w <- w - v."""

    averages = ("velocity",)

    def change(
        self,
        theta: tf.Tensor,
        gradient: tf.Tensor,
        state: State,
        rate: tf.Tensor,
        layers: Layers,
    ) -> tuple[tf.Tensor, State]:
        spec = self.spec

        def adapt(w: tf.Tensor, g: tf.Tensor, size: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
            below = slope + spec.weight_decay * size
            return spec.trust * _ratio(size, below) * (g + spec.weight_decay * w)

        velocity = spec.momentum * state["velocity"]
        if spec.momentum_correction:
            velocity *= tf.math.divide_no_nan(rate, state["rate"])
        velocity += rate * layers.adapted(theta, gradient, lambda w, g: g, adapt)
        return velocity, {"velocity": velocity}


class LAMBRule(Layerwise[LAMBNumbers]):
    """w <- w - eta |w| (r + decay w) / |r + decay w|, r the direction of Adam."""

    averages = ("mean", "square")

    def change(
        self,
        theta: tf.Tensor,
        gradient: tf.Tensor,
        state: State,
        rate: tf.Tensor,
        layers: Layers,
    ) -> tuple[tf.Tensor, State]:
        spec = self.spec

        def decayed(w: tf.Tensor, r: tf.Tensor) -> tf.Tensor:
            return r + spec.weight_decay * w

        def adapt(w: tf.Tensor, r: tf.Tensor, size: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
            return _ratio(size, length) * decayed(w, r)

        steps = tf.cast(state["iteration"] + 1, theta.dtype)
        mean = spec.beta_1 * state["mean"] + (1 - spec.beta_1) * gradient
        square = spec.beta_2 * state["square"] + (1 - spec.beta_2) * tf.square(gradient)
        size = tf.sqrt(square / (1 - tf.pow(tf.constant(spec.beta_2, theta.dtype), steps)))
        ahead = mean / (1 - tf.pow(tf.constant(spec.beta_1, theta.dtype), steps))
        moved = layers.adapted(theta, ahead / (size + spec.epsilon), decayed, adapt)
        return rate * moved, {"mean": mean, "square": square}
