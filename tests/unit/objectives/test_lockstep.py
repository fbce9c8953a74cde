"""Ways that meet in sums are like ranks that meet in collectives."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.objectives.lockstep import in_lockstep


def normalised(x, reduce):
    """Return x over the sum of all ways' squares, with its gradient through that sum."""

    @tf.custom_gradient
    def run(x):
        total = reduce(tf.reduce_sum(x * x)[None], "forward")[0]

        def backward(g):
            along = reduce(tf.reduce_sum(g * x)[None], "backward")[0]
            return g / total - 2 * x * along / total**2

        return x / total, backward

    return run(x)


def test_gradients_through_the_sums_are_those_of_the_whole():
    whole = np.random.default_rng(2).standard_normal(6)

    def way(x):
        def run(reduce):
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = tf.reduce_sum(normalised(x, reduce) ** 3)
            return value, tape.gradient(value, x)

        return run

    @tf.function(autograph=False)
    def both(x):
        ways = [way(x[:2]), way(x[2:])]
        return in_lockstep(ways, lambda parts, name: tf.add_n(list(parts)))

    (first, before), (second, after) = both(tf.constant(whole))
    x = tf.constant(whole)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum((x / tf.reduce_sum(x * x)) ** 3)
    np.testing.assert_allclose(first + second, value, rtol=1e-12)
    np.testing.assert_allclose(tf.concat([before, after], 0), tape.gradient(value, x), rtol=1e-12)


def test_a_way_that_fails_ends_all_of_them():
    def fine(reduce):
        return reduce(tf.ones([1]), "sum")

    def broken(reduce):
        reduce(tf.ones([1]), "sum")
        raise ValueError("this way is closed")

    before = threading.active_count()
    graph = tf.Graph()
    with graph.as_default(), pytest.raises(ValueError, match="closed"):
        in_lockstep([broken, fine, fine], lambda parts, name: tf.add_n(list(parts)))
    for thread in threading.enumerate():
        if thread.daemon and thread is not threading.main_thread():
            thread.join(0.5)
    assert threading.active_count() <= before
