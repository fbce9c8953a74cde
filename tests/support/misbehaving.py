"""A plug-in of aggregations that misbehave on rank 1, after some steps."""

import os
import time
from typing import Literal

import numpy as np
import tensorflow as tf

from pdehvd.comm.aggregation import GlobalMean
from pdehvd.spec import register

STEPS = 12


class _Misbehaving(GlobalMean):
    compiles = False

    def combine(self, group, gradient, losses):
        gradient, losses = super().combine(group, gradient, losses)
        if group.rank == 1:
            steps = []

            def counted(value):
                steps.append(1)
                return self.misbehave(value.numpy()) if len(steps) == STEPS else value

            shape = gradient.shape
            gradient = tf.py_function(counted, [gradient], gradient.dtype)
            gradient.set_shape(shape)
        return gradient, losses


@register("aggregation")
class Loops(_Misbehaving):
    """Never comes back."""

    name: Literal["loops"] = "loops"

    def misbehave(self, gradient):
        while True:
            time.sleep(0.01)


@register("aggregation")
class KeepsTheLock(_Misbehaving):
    """Never comes back, and lets no other thread of Python run."""

    name: Literal["keeps_the_lock"] = "keeps_the_lock"

    def misbehave(self, gradient):
        return sum(range(10**15))


@register("aggregation")
class Leaves(_Misbehaving):
    """Leaves as if all were done."""

    name: Literal["leaves"] = "leaves"

    def misbehave(self, gradient):
        os._exit(0)


@register("aggregation")
class Fails(_Misbehaving):
    """Runs out of data."""

    name: Literal["fails"] = "fails"

    def misbehave(self, gradient):
        raise StopIteration("no more data")


@register("aggregation")
class Drifts(_Misbehaving):
    """Is wrong in one number."""

    name: Literal["drifts"] = "drifts"

    def misbehave(self, gradient):
        return gradient + np.eye(1, gradient.size, 5)[0]
