"""Learning-rate schedules: pure functions of the step, and what large batches change in them."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from pdehvd.errors import ConfigError, counted
from pdehvd.launch.tensorflow_import import import_tensorflow
from pdehvd.spec import Section, Spec, register

if TYPE_CHECKING:
    import tensorflow as tf

Positive = Annotated[float, Field(gt=0)]
Steps = Annotated[int, Field(ge=1)]


class BatchScaling(Spec):
    """The rate times k (`linear`) or sqrt k (`sqrt`), k = batch / reference batch.

    Goyal et al., arXiv 1706.02677, section 2.1; Krizhevsky, arXiv 1404.5997, section 5. The batch
    is the global one: points of the equations, or samples.
    """

    rule: Literal["linear", "sqrt"] = "linear"
    reference_batch: int = Field(ge=1, description="the batch for which the rate was chosen")

    def factor(self, batch: int) -> float:
        """Return what the rate is multiplied by for a global batch."""
        k = batch / self.reference_batch
        return k if self.rule == "linear" else math.sqrt(k)


class WarmUp(Spec):
    """The first steps of a rate that is eta for the reference batch and f eta for this one.

    `gradual`: from eta to f eta by the same increment every step, eta (1 + (f - 1) n / steps).
    `constant`: eta, then f eta. Goyal et al., arXiv 1706.02677, section 2.2.
    """

    steps: int = Field(ge=1, description="steps of the warm-up")
    shape: Literal["gradual", "constant"] = "gradual"

    def share(self, step: tf.Tensor, factor: float) -> tf.Tensor:
        """Return the rate's share of f eta; a factor of at most 1 needs no warm-up."""
        passed = step / self.steps
        if self.shape == "constant":
            passed = import_tensorflow().floor(passed)
        first = min(1 / factor, 1.0)
        return first + (1 - first) * _at_most_one(passed)


def _at_most_one(share: tf.Tensor) -> tf.Tensor:
    tf = import_tensorflow()
    return tf.minimum(share, tf.ones([], share.dtype))


def _steps(value: object) -> object:
    """Let a number of steps stand for a gradual warm-up, and 0 for none."""
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    return {"steps": value} if value else None


_WarmUp = Annotated[
    WarmUp | None, BeforeValidator(_steps, json_schema_input_type=int | WarmUp | None)
]


class Schedule(Spec):
    """Base of the schedules: `rate`, scaled to the batch, after a warm-up.

    Without a `scaling` the warm-up is linear from 0: rate * (n + 1) / warmup.
    """

    scaling: BatchScaling | None = Field(
        default=None, description="how the rate grows with the batch; null: not at all"
    )
    warmup: _WarmUp = Field(
        default=None, description="steps over which the rate grows to its value; null: none"
    )
    _factor: float | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _has_a_start(self) -> Schedule:
        if self.scaling is None and self.warmup and self.warmup.shape == "constant":
            raise ConfigError(
                "a constant warm-up needs the rate of a reference batch, and none is given",
                ("warmup", "shape"),
                "the key 'scaling', or shape: gradual",
            )
        return self

    def resolved(self, batch: int, steps: int) -> Schedule:
        """Return the schedule of a run of `steps` steps with a global `batch`.

        Raises `ConfigError` where the warm-up does not end within the run.
        """
        if self.warmup and self.warmup.steps > steps:
            raise ConfigError(
                f"a warm-up of {counted(self.warmup.steps, 'step')} is longer than the training",
                ("warmup",),
                f"at most {steps}",
            )
        known = self.model_copy()
        known._factor = self.scaling.factor(batch) if self.scaling else 1.0
        return known

    @property
    def factor(self) -> float:
        """What the rate is multiplied by for this run's batch."""
        if self._factor is None and self.scaling is not None:
            raise ValueError("the batch is not known yet: call resolved() first")
        return self._factor or 1.0

    @abstractmethod
    def rate(self, step: tf.Tensor) -> tf.Tensor:
        """Return the rate for the reference batch; `step` [] counts from 0, in the run's dtype."""

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Return the learning rate of the update that follows `step` updates."""
        rate = self.rate(step) * self.factor
        if self.warmup is None:
            return rate
        if self.scaling is not None:
            return rate * self.warmup.share(step, self.factor)
        # From 0, but the first update is not to be lost.
        return rate * _at_most_one((step + 1) / self.warmup.steps)

    def after(self, steps: int) -> float:
        """Return the learning rate of the update that follows `steps` updates, as a number."""
        tf = import_tensorflow()
        return float(self(tf.constant(steps, tf.float64)))


@register("learning_rate")
class ConstantRate(Schedule):
    """eta(n) = value."""

    name: Literal["constant"] = "constant"
    value: Positive

    def rate(self, step: tf.Tensor) -> tf.Tensor:
        return import_tensorflow().constant(self.value, step.dtype)


@register("learning_rate")
class Exponential(Schedule):
    """eta(n) = initial * decay^(n / every); in steps of `every` when `staircase`."""

    name: Literal["exponential"] = "exponential"
    initial: Positive
    decay: float = Field(default=0.9, gt=0, le=1)
    every: Steps = 1000
    staircase: bool = False

    def rate(self, step: tf.Tensor) -> tf.Tensor:
        tf = import_tensorflow()
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
        wave = import_tensorflow().cos(math.pi * _at_most_one(step / self.steps))
        return self.final + (self.initial - self.final) * 0.5 * (1 + wave)


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
                f"{counted(len(self.values), 'value')} for boundaries {self.boundaries}",
                ("values",),
                "one value more than boundaries",
            )
        if sorted(set(self.boundaries)) != self.boundaries:
            raise ConfigError("the boundaries do not increase", ("boundaries",))
        return self

    def rate(self, step: tf.Tensor) -> tf.Tensor:
        tf = import_tensorflow()
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


def _number(value: object) -> object:
    """Let a bare number stand for a constant rate."""
    number = isinstance(value, str) and value.strip()[:1] in set("+-.0123456789")
    if isinstance(value, bool) or number:
        shown = f"'{value}'" if number else str(value).lower()
        raise ConfigError(f"got {shown}", (), "a number such as 0.001, or a schedule")
    if not isinstance(value, int | float):
        return value
    return {"name": "constant", "value": value}


LearningRate = Annotated[Spec, Section("learning_rate", _number, {"type": "number"})]
