"""A Keras update rule as a pure function of flat parameters and its slots."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
from keras.src.optimizers.base_optimizer import BaseOptimizer

from pdehvd.numerics.vectors import Vectors
from pdehvd.objectives.base import Batch
from pdehvd.objectives.evaluation import Evaluation
from pdehvd.optimizers.base import BoundObjective, Facts, Optimizer, State
from pdehvd.optimizers.clipping import clipped
from pdehvd.optimizers.schedule import Schedule


class _Stateless(keras.optimizers.Optimizer):  # type: ignore[misc]
    """Makes a Keras optimizer a function of its state.

    TensorFlow's backend updates `tf.Variable`s through tf.distribute; the rules themselves are
    written against Keras' base class, whose stateless form XLA can compile. Stands between a rule
    and TensorFlow's base class in the order of resolution.
    """

    stateless_apply = BaseOptimizer.stateless_apply
    _backend_update_step = BaseOptimizer._backend_update_step
    _apply_weight_decay = BaseOptimizer._apply_weight_decay
    _var_key = BaseOptimizer._var_key

    def assign(self, variable: keras.Variable, value: tf.Tensor) -> None:
        variable.assign(value)

    def assign_add(self, variable: keras.Variable, value: tf.Tensor) -> None:
        variable.assign(variable + value)

    def assign_sub(self, variable: keras.Variable, value: tf.Tensor) -> None:
        variable.assign(variable - value)


class FirstOrder(Optimizer):
    """A rule of keras.optimizers, by name, on the flat parameters [P]; its slots are the state.

    All rules offered here work element by element, so the flat form is the same update. Slot
    `folded` is a velocity with the learning rate in it that is corrected where the rate changes:
    v <- m (eta_t / eta_(t-1)) v + eta_t g (Goyal et al., arXiv 1706.02677, section 3).
    """

    facts = ("learning_rate",)

    def __init__(
        self,
        rule: str,
        options: Mapping[str, object],
        schedule: Schedule,
        clip_norm: float | None,
        folded: int | None = None,
    ) -> None:
        self._rule: type[keras.optimizers.Optimizer] = getattr(keras.optimizers, rule)
        self._options = options
        self._schedule = schedule
        self._clip_norm = clip_norm
        self._folded = folded
        self._keras: _Stateless | None = None
        self._update = tf.function(self._updated, jit_compile=True, autograph=False)

    def init(self, theta: tf.Tensor) -> State:
        state = {"iteration": tf.zeros([], tf.int64)}
        for index, variable in enumerate(self._built(theta).variables[2:]):
            state[f"slot_{index}"] = tf.identity(variable.value)
        if self._folded is not None:
            state["rate"] = self._schedule(tf.zeros([], theta.dtype))
        return state

    def _built(self, theta: tf.Tensor) -> _Stateless:
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
        self, theta: tf.Tensor, gradient: tf.Tensor, state: State, vectors: Vectors
    ) -> tuple[tf.Tensor, State, tf.Tensor]:
        iteration = state["iteration"]
        rate = self._schedule(tf.cast(iteration, theta.dtype))
        gradient = clipped(gradient, self._clip_norm, vectors)
        count = sum(name.startswith("slot_") for name in state)
        slots = [state[f"slot_{index}"] for index in range(count)]
        if self._folded is not None:
            slots[self._folded] *= tf.math.divide_no_nan(rate, state["rate"])
        (theta,), values = self._built(theta).stateless_apply(
            [iteration, rate, *slots], [gradient], [theta]
        )
        new = {"iteration": tf.cast(values[0], tf.int64)}
        new |= {f"slot_{index}": value for index, value in enumerate(values[2:])}
        if self._folded is not None:
            new["rate"] = rate
        return theta, new, rate

    def step(
        self, objective: BoundObjective[Batch], theta: tf.Tensor, state: State
    ) -> tuple[tf.Tensor, State, Evaluation, Facts]:
        at = objective.evaluate(theta)
        vectors = objective.vectors
        update = self._update if vectors.compiles else self._updated
        theta, state, rate = update(theta, at.gradient, state, vectors)
        return theta, state, at, {"learning_rate": rate}
