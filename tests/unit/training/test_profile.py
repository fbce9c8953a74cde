"""How the time of a call is divided between computing, communication and waiting."""

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.comm.group import Solo
from pdehvd.comm.one_shard import OneShard
from pdehvd.comm.timed_group import TimedGroup
from pdehvd.training.profile import split_step


def test_who_comes_last_waits_for_nobody():
    # Two ranks, two steps, two collectives: rank 1 comes last to the first, rank 0 to the second.
    seconds = np.array([10.0, 10.0])
    collectives = np.array([[3.0, 1.0], [1.0, 2.0]])
    found = split_step(seconds, collectives, steps=2)
    assert found.step == 5.0
    assert found.communication == pytest.approx((1 + 1) / 2)
    assert found.waiting == pytest.approx((3.5 - 2) / 2)
    assert found.computing == pytest.approx((6 + 7) / 2 / 2)
    assert found.straggler == pytest.approx(7 / 6.5)
    assert found.computing + found.communication + found.waiting == pytest.approx(found.step)


def test_one_process_only_computes():
    found = split_step(np.array([4.0]), np.zeros((1, 0)), steps=4)
    assert found == (1.0, 1.0, 0.0, 0.0, 1.0)


def looped(group, times):
    """Return a compiled loop of sums, as steps have it."""

    @tf.function(autograph=False)
    def loop(x):
        def body(i, x):
            return i + 1, group.sum([x], "s")[0] + 1

        start = tf.constant(0), x
        return tf.while_loop(lambda i, _: i < times, body, start, parallel_iterations=1)[1]

    return loop


def test_a_timed_group_computes_the_same_and_sees_every_collective():
    group = TimedGroup(OneShard(3))
    loop = looped(group, 5)
    assert loop(tf.zeros([4])).numpy().tolist() == [5.0] * 4
    taken = group.taken()
    assert taken.shape == (5,) and (taken >= 0).all() and taken.max() < 60
    assert group.taken().size == 0
    group.sum_numpy(np.ones(2), "host")
    assert group.taken().size == 1


def test_one_shard_counts_messages_and_bytes():
    group = OneShard(4)
    assert group.shard(10) == (7, 10) and group.size == 4 and isinstance(group, Solo)
    looped(group, 6)(tf.zeros([5], tf.float64))
    assert group.counted() == (6, 6 * 40)
