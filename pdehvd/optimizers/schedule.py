"""Learning-rate schedules: pure functions of the step."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, Any, Literal

import tensorflow as tf
from pydantic import BeforeValidator, Field, model_validator

from pdehvd.errors import ConfigError
from pdehvd.spec import Section, Spec, register

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Steps = Annotated[int, Field(ge=1)]


class Schedule(Spec):
    """Base of the schedules: `rate` after a linear warm-up from 0 over `warmup` steps."""

    warmup: int = Field(
        default=0, ge=0, description="steps over which the rate grows linearly to its value"
    )

    @abstractmethod
    def rate(self, step: tf.Tensor) -> tf.Tensor:
        """Return the rate without warm-up; `step` [] counts from 0 and has the run's precision."""

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Return the learning rate of the update that follows `step` updates."""
        rate = self.rate(step)
        if not self.warmup:
            return rate
        return rate * tf.minimum((step + 1) / self.warmup, tf.ones([], step.dtype))


@register("learning_rate")
class Constant(Schedule):
    """eta(n) = value."""

    name: Literal["constant"] = "constant"
    value: Positive

    def rate(self, step: tf.Tensor) -> tf.Tensor:
        return tf.constant(self.value, step.dtype)


@register("learning_rate")
class Exponential(Schedule):
    """eta(n) = initial * decay^(n / every); in steps of `every` when `staircase`."""

    name: Literal["exponential"] = "exponential"
    initial: Positive
    decay: float = Field(default=0.9, gt=0, le=1)
    every: Steps = 1000
    staircase: bool = False

    def rate(self, step: tf.Tensor) -> tf.Tensor:
        exponent = step / self.every
        exponent = tf.floor(exponent) if self.staircase else exponent
        return self.initial * tf.pow(tf.constant(self.decay, step.dtype), exponent)


@register("learning_rate")
class Cosine(Schedule):
    """eta(n) = final + (initial - final) (1 + cos(pi n / steps)) / 2, then final."""

    name: Literal["cosine"] = "cosine"
    initial: Positive
    final: float = Field(default=0.0, ge=0)
    steps: Steps

    def rate(self, step: tf.Tensor) -> tf.Tensor:
        share = tf.minimum(step / self.steps, tf.ones([], step.dtype))
        return self.final + (self.initial - self.final) * 0.5 * (1 + tf.cos(math.pi * share))


@register("learning_rate")
class Piecewise(Schedule):
    """eta(n) = values[i] for boundaries[i-1] <= n < boundaries[i]."""

    name: Literal["piecewise"] = "piecewise"
    boundaries: list[Steps] = Field(min_length=1)
    values: list[Positive]

    @model_validator(mode="after")
    def _match(self) -> Piecewise:
        if len(self.values) != len(self.boundaries) + 1:
            raise ConfigError(
                f"{len(self.values)} values for {len(self.boundaries)} boundaries",
                ("values",),
                "one value more than boundaries",
            )
        if sorted(set(self.boundaries)) != self.boundaries:
            raise ConfigError("the boundaries do not increase", ("boundaries",))
        return self

    def rate(self, step: tf.Tensor) -> tf.Tensor:
        passed = tf.reduce_sum(tf.cast(step >= tf.constant(self.boundaries, step.dtype), tf.int32))
        return tf.gather(tf.constant(self.values, step.dtype), passed)


@register("learning_rate")
class InverseTime(Schedule):
    """eta(n) = initial / (1 + decay * n / every)."""

    name: Literal["inverse_time"] = "inverse_time"
    initial: Positive
    decay: float = Field(default=1.0, ge=0)
    every: Steps = 1000

    def rate(self, step: tf.Tensor) -> tf.Tensor:
        return self.initial / (1 + self.decay * step / self.every)


def _number(value: Any) -> Any:
    """Let a bare number stand for a constant rate."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return {"name": "constant", "value": value}


_Named = Annotated[Spec, Section("learning_rate")]
LearningRate = Annotated[_Named, BeforeValidator(_number, json_schema_input_type=float | _Named)]
