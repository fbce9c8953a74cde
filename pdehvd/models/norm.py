"""Normalisation of images: the `norm` section."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from pdehvd.errors import ConfigError
from pdehvd.launch.tensorflow_import import import_tensorflow
from pdehvd.numerics.tensors import Tensor
from pdehvd.spec import Spec, register

Reduce = Callable[[Tensor, str], Tensor]


class Norm(Spec):
    """Which values share a mean and a variance.

    `apart`: every sample has statistics of its own, S = B; otherwise all share them, S = 1.
    """

    apart: ClassVar[bool] = False

    @abstractmethod
    def pooled(self, sums: Tensor, reduce: Reduce, name: str) -> Tensor:
        """Return sums [K, S, C] over all values that share statistics, for each of them."""

    def check(self, channels: int) -> None:
        """Raise ConfigError where `channels` cannot be normalised."""

    @model_validator(mode="before")
    @classmethod
    def _ranks_share_batches_only(cls, data: object) -> object:
        if isinstance(data, dict) and "sync" in data and "sync" not in cls.model_fields:
            message = (
                f"the normalisation '{data.get('name')}' shares no statistics between processes"
            )
            raise ConfigError(message, ("sync",), "no `sync` here, or batch normalisation")
        return data


class Normalizing(Norm):
    """Divides by sigma = sqrt(variance + epsilon)."""

    epsilon: PositiveFloat = 1e-5


@register("norm")
class BatchNorm(Normalizing):
    """Normalises each channel over the batch.

    `sync: global` uses the statistics of the global batch, on any number of processes; `local`
    those of each process's shard, with moving averages averaged over processes; `none` the same
    without averaging them. In each step moving averages keep the share `momentum` of the old value.
    """

    name: Literal["batch"] = "batch"
    sync: Literal["global", "local", "none"] = "global"
    momentum: float = Field(default=0.95, ge=0, lt=1)

    def pooled(self, sums: Tensor, reduce: Reduce, name: str) -> Tensor:
        if self.sync != "global":
            return sums
        tf = import_tensorflow()
        return tf.reshape(reduce(tf.reshape(sums, [-1]), name), sums.shape)


@register("norm")
class InstanceNorm(Normalizing):
    """Normalises each channel of each sample."""

    apart: ClassVar[bool] = True

    name: Literal["instance"] = "instance"

    def pooled(self, sums: Tensor, reduce: Reduce, name: str) -> Tensor:
        return sums


@register("norm")
class GroupNorm(Normalizing):
    """Normalises `groups` groups of neighbouring channels of each sample."""

    apart: ClassVar[bool] = True

    name: Literal["group"] = "group"
    groups: PositiveInt = 8

    def pooled(self, sums: Tensor, reduce: Reduce, name: str) -> Tensor:
        tf = import_tensorflow()
        parts = tf.reshape(sums, [*sums.shape[:2], self.groups, -1])
        whole = tf.reduce_sum(parts, axis=-1, keepdims=True)
        return tf.reshape(tf.broadcast_to(whole, parts.shape), sums.shape)

    def check(self, channels: int) -> None:
        if channels % self.groups:
            raise ConfigError(
                f"{channels} channels cannot be cut into {self.groups} equal groups",
                ("groups",),
                f"a divisor of {channels}",
            )


@register("norm")
class NoNorm(Norm):
    """Does not normalise; every convolution has a bias instead."""

    name: Literal["none"] = "none"

    def pooled(self, sums: Tensor, reduce: Reduce, name: str) -> Tensor:
        return import_tensorflow().zeros_like(sums)
