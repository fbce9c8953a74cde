"""A plug-in with an aggregation hook: contributions travel and are added in double precision."""

from __future__ import annotations

from typing import Literal

import tensorflow as tf

from pdehvd.comm.aggregation import Aggregation
from pdehvd.comm.group import Group
from pdehvd.spec import register


@register("aggregation")
class Float64Sum(Aggregation):
    """Sums over ranks in float64, whatever the run computes in."""

    name: Literal["float64_sum"] = "float64_sum"

    def combine(
        self, group: Group, gradient: tf.Tensor, losses: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the global gradient [P] and losses [T] from this rank's contributions."""
        exact = [tf.cast(gradient, tf.float64), tf.cast(losses, tf.float64)]
        exact = group.sum(exact, "step")
        return tf.cast(exact[0], gradient.dtype), tf.cast(exact[1], losses.dtype)
