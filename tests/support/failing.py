"""A plug-in whose aggregation fails on rank 1 in its tenth step, as a broken node would."""

from typing import Literal

import tensorflow as tf

from pdehvd.comm.aggregation import GlobalMean
from pdehvd.spec import register

calls = []


def _count(losses):
    calls.append(1)
    if len(calls) == 10:
        raise RuntimeError("the node is on fire")
    return losses


@register("aggregation")
class Failing(GlobalMean):
    """Works on every rank but 1."""

    compiles = False

    name: Literal["failing"] = "failing"

    def combine(self, group, gradient, losses):
        if group.rank == 1:
            shape = losses.shape
            losses = tf.py_function(_count, [losses], losses.dtype)
            losses.set_shape(shape)
        return super().combine(group, gradient, losses)
