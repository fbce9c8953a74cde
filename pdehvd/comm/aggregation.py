"""Aggregation hooks: how the ranks' contributions become one global gradient."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

import tensorflow as tf

from pdehvd.comm.group import Group
from pdehvd.errors import ConfigError
from pdehvd.spec import Spec, register


class Aggregation(Spec):
    """Combines per-rank contributions; a plug-in registers its own with `register("aggregation")`.

    Rank r contributes g_r = sum_k w_k (local sum of term k) / (global count of term k), so the
    plain sum over r is the gradient of the global mean, however unequal the shards.
    """

    @abstractmethod
    def combine(
        self, group: Group, gradient: tf.Tensor, losses: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the global gradient [P] and losses [T] from this rank's contributions."""

    def check(self, group: Group) -> None:
        """Raise `ConfigError` where this hook cannot run on `group`."""


@register("aggregation")
class GlobalMean(Aggregation):
    """Sums over ranks divided by global counts: the same on any number of processes."""

    name: Literal["global_mean"] = "global_mean"

    def combine(
        self, group: Group, gradient: tf.Tensor, losses: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        gradient, losses = group.sum([gradient, losses], "step")
        return gradient, losses


@register("aggregation")
class Adasum(Aggregation):
    """Adaptive summation of the ranks' gradients (Maleki et al., arXiv 2006.02924).

    Not invariant to the number of processes: that is its purpose. Needs MPI and a power of two.
    """

    name: Literal["adasum"] = "adasum"

    def combine(
        self, group: Group, gradient: tf.Tensor, losses: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        # size * contribution is this rank's own estimate of the mean gradient.
        gradient = group.adasum(gradient * group.size, "step")
        (losses,) = group.sum([losses], "losses")
        return gradient, losses

    def check(self, group: Group) -> None:
        if not group.supports_adasum:
            raise ConfigError(
                f"adasum cannot run on {group.size} processes",
                ("aggregation",),
                "MPI and a number of processes that is a power of two",
                "global_mean",
            )


@register("aggregation")
class HalfPrecision(Aggregation):
    """Gradients travel as float16, scaled by a global power of two; losses do not."""

    name: Literal["fp16"] = "fp16"

    def combine(
        self, group: Group, gradient: tf.Tensor, losses: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        (largest,) = group.maximum([tf.reduce_max(tf.abs(gradient))], "scale")
        # The largest partial sum of `size` entries stays below 2^14, under float16's 65504.
        exponent = 14.0 - tf.math.ceil(
            tf.math.log(largest * group.size) / tf.math.log(tf.constant(2.0, gradient.dtype))
        )
        scale = tf.where(
            largest > 0, tf.pow(tf.constant(2.0, gradient.dtype), exponent), tf.ones_like(largest)
        )
        (half,) = group.sum([tf.cast(gradient * scale, tf.float16)], "step")
        (losses,) = group.sum([losses], "losses")
        return tf.cast(half, gradient.dtype) / scale, losses
