"""First-order optimizers: Keras' update rules as pure functions of flat parameters."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import keras
import numpy as np
import tensorflow as tf
from keras.src.optimizers.base_optimizer import BaseOptimizer
from pydantic import Field

from pdehvd.comm.group import Group
from pdehvd.objectives.base import Evaluation
from pdehvd.optimizers.base import BoundObjective, Facts, Optimizer, OptimizerSpec, State
from pdehvd.optimizers.schedule import Constant, LearningRate, Schedule
from pdehvd.spec import register

Decay = Field(0.9, ge=0, lt=1)
SlowDecay = Field(0.999, ge=0, lt=1)
Epsilon = Field(1e-7, gt=0)


class _Stateless(keras.optimizers.Optimizer):
    """Makes a Keras optimizer a function of its state.

    TensorFlow's backend updates `tf.Variable`s through tf.distribute; the rules themselves are
    written against Keras' base class, whose stateless form XLA can compile. Stands between a rule
    and TensorFlow's base class in the order of resolution.
    """

    stateless_apply = BaseOptimizer.stateless_apply
    _backend_update_step = BaseOptimizer._backend_update_step
    _apply_weight_decay = BaseOptimizer._apply_weight_decay
    _var_key = BaseOptimizer._var_key

    def assign(self, variable: Any, value: Any) -> None:
        variable.assign(value)

    def assign_add(self, variable: Any, value: Any) -> None:
        variable.assign(variable + value)

    def assign_sub(self, variable: Any, value: Any) -> None:
        variable.assign(variable - value)


class FirstOrder(Optimizer):
    """One Keras rule on the flat parameters [P]; its slots are the state.

    All rules offered here work element by element, so the flat form is the same update.
    """

    facts = ("learning_rate",)

    def __init__(
        self,
        rule: type[keras.optimizers.Optimizer],
        options: dict[str, Any],
        schedule: Schedule,
        clip_norm: float | None,
    ) -> None:
        self._rule = rule
        self._options = options
        self._schedule = schedule
        self._clip_norm = clip_norm
        self._keras: Any = None
        self._update = tf.function(self._updated, jit_compile=True, autograph=False)

    def init(self, theta: tf.Tensor) -> State:
        state = {"iteration": tf.zeros([], tf.int64)}
        for index, variable in enumerate(self._built(theta).variables[2:]):
            state[f"slot_{index}"] = tf.identity(variable.value)
        return state

    def _built(self, theta: tf.Tensor) -> Any:
        """Return the Keras rule for parameters like `theta`; its own variables are never read."""
        if self._keras is None:
            pure = type(f"Stateless{self._rule.__name__}", (self._rule, _Stateless), {})
            # Keras would keep the rate and some scalars in its global precision otherwise.
            previous = keras.config.floatx()
            keras.config.set_floatx(theta.dtype.name)
            with tf.init_scope():
                self._keras = pure(learning_rate=1.0, **self._options)
                zeros = np.zeros(theta.shape, theta.dtype.as_numpy_dtype)
                self._keras.build([keras.Variable(zeros, dtype=theta.dtype.name)])
            keras.config.set_floatx(previous)
        return self._keras

    def _updated(
        self, theta: tf.Tensor, gradient: tf.Tensor, state: State
    ) -> tuple[tf.Tensor, State, tf.Tensor]:
        iteration = state["iteration"]
        rate = self._schedule(tf.cast(iteration, theta.dtype))
        if self._clip_norm is not None:
            gradient = tf.clip_by_norm(gradient, self._clip_norm)
        slots = [state[f"slot_{index}"] for index in range(len(state) - 1)]
        (theta,), values = self._built(theta).stateless_apply(
            [iteration, rate, *slots], [gradient], [theta]
        )
        new = {"iteration": tf.cast(values[0], tf.int64)}
        new |= {f"slot_{index}": value for index, value in enumerate(values[2:])}
        return theta, new, rate

    def step(
        self, objective: BoundObjective, theta: tf.Tensor, state: State
    ) -> tuple[tf.Tensor, State, Evaluation, Facts]:
        at = objective.evaluate(theta)
        theta, state, rate = self._update(theta, at.gradient, state)
        return theta, state, at, {"learning_rate": rate}


class FirstOrderSpec(OptimizerSpec):
    """Base of the first-order specs; fields that a Keras rule knows go to it as they are."""

    rule: ClassVar[type[keras.optimizers.Optimizer]]

    learning_rate: LearningRate = Constant(value=1e-3, warmup=0)
    clip_norm: float | None = Field(None, gt=0, description="largest norm of the global gradient")
    weight_decay: float | None = Field(
        None, ge=0, description="decoupled: theta <- theta - rate * decay * theta"
    )

    def build(self, group: Group | None = None) -> FirstOrder:
        """Return the optimizer."""
        options = self.model_dump(exclude={"name", "steps", "learning_rate", "clip_norm"})
        assert isinstance(self.learning_rate, Schedule)
        return FirstOrder(self.rule, options, self.learning_rate, self.clip_norm)


@register("optimizer")
class Adam(FirstOrderSpec):
    """Adaptive moments (Kingma and Ba, arXiv 1412.6980)."""

    rule = keras.optimizers.Adam
    name: Literal["adam"] = "adam"
    beta_1: float = Decay
    beta_2: float = SlowDecay
    epsilon: float = Epsilon
    amsgrad: bool = False


@register("optimizer")
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101)."""

    rule = keras.optimizers.AdamW
    name: Literal["adamw"] = "adamw"  # type: ignore[assignment]
    weight_decay: float = Field(0.004, ge=0)


@register("optimizer")
class Nadam(FirstOrderSpec):
    """Adam with Nesterov momentum (Dozat 2016)."""

    rule = keras.optimizers.Nadam
    name: Literal["nadam"] = "nadam"
    beta_1: float = Decay
    beta_2: float = SlowDecay
    epsilon: float = Epsilon


@register("optimizer")
class Adamax(FirstOrderSpec):
    """Adam in the infinity norm (Kingma and Ba, arXiv 1412.6980, section 7)."""

    rule = keras.optimizers.Adamax
    name: Literal["adamax"] = "adamax"
    beta_1: float = Decay
    beta_2: float = SlowDecay
    epsilon: float = Epsilon


@register("optimizer")
class SGD(FirstOrderSpec):
    """Gradient descent with momentum, Nesterov's by choice."""

    rule = keras.optimizers.SGD
    name: Literal["sgd"] = "sgd"
    momentum: float = Field(0.0, ge=0, lt=1)
    nesterov: bool = False


@register("optimizer")
class Lion(FirstOrderSpec):
    """Sign of a momentum (Chen et al., arXiv 2302.06675)."""

    rule = keras.optimizers.Lion
    name: Literal["lion"] = "lion"
    learning_rate: LearningRate = Constant(value=1e-4, warmup=0)
    beta_1: float = Decay
    beta_2: float = Field(0.99, ge=0, lt=1)


@register("optimizer")
class RMSprop(FirstOrderSpec):
    """Gradient over the root of its mean square (Tieleman and Hinton 2012)."""

    rule = keras.optimizers.RMSprop
    name: Literal["rmsprop"] = "rmsprop"
    rho: float = Decay
    momentum: float = Field(0.0, ge=0, lt=1)
    epsilon: float = Epsilon
    centered: bool = False


@register("optimizer")
class Adagrad(FirstOrderSpec):
    """Gradient over the root of its summed squares (Duchi et al. 2011)."""

    rule = keras.optimizers.Adagrad
    name: Literal["adagrad"] = "adagrad"
    initial_accumulator_value: float = Field(0.1, ge=0)
    epsilon: float = Epsilon


@register("optimizer")
class Adadelta(FirstOrderSpec):
    """Adagrad with a moving window (Zeiler, arXiv 1212.5701)."""

    rule = keras.optimizers.Adadelta
    name: Literal["adadelta"] = "adadelta"
    rho: float = Field(0.95, ge=0, lt=1)
    epsilon: float = Epsilon
