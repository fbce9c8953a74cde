"""Marks inside compiled programs; reductions over real processes are in tests/parallel."""

import time

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.comm import backend, xla_calls
from pdehvd.comm.one_shard import OneCompiledShard
from pdehvd.comm.xla_calls import MARK, MARK_OF_STEP, TYPES
from pdehvd.launch.processes_spec import ProcessesSpec


@pytest.fixture
def calls():
    found = xla_calls.calls()
    assert found is not None
    found.steps()
    return found


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("compiled", [False, True])
def test_a_mark_changes_nothing(calls, dtype, compiled):
    tensor = tf.cast(tf.reshape(tf.range(6), [2, 3]), dtype)
    messages, size = calls.counted()

    @tf.function(jit_compile=compiled, autograph=False)
    def marked(one):
        return calls(one, MARK)

    result = marked(tensor)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, tensor)
    assert calls.counted() == (messages + 1, size + 6 * dtype.size)


def test_marks_stay_in_a_compiled_loop(calls):
    """Also those that do not depend on it, and those whose result nobody needs."""
    constant = tf.ones([3])
    before = calls.counted()[0]

    @tf.function(jit_compile=True, autograph=False)
    def loop(count):
        def body(i, x):
            calls(constant, MARK)
            return i + 1, calls(x, MARK_OF_STEP) + calls(constant, MARK)

        return tf.while_loop(lambda i, _: i < count, body, (tf.constant(0), tf.zeros([3])))[1]

    start = time.monotonic()
    np.testing.assert_array_equal(loop(tf.constant(7)), [7.0] * 3)
    assert calls.counted()[0] == before + 3 * 7
    steps = calls.steps()
    assert steps.shape == (7,) and (np.diff(steps) > 0).all()
    assert start <= steps[0] and steps[-1] <= time.monotonic()
    assert calls.steps().size == 0


def test_a_program_may_hold_calls_of_no_numbers(calls):
    @tf.function(jit_compile=True, autograph=False)
    def marked(one):
        return calls(calls(one, MARK)[:0], MARK), calls(one, MARK)

    none, all_ = marked(tf.ones([2]))
    assert none.shape == [0] and all_.shape == [2]


def test_one_shard_is_what_runs_here_would_be(calls):
    shard = backend.one_shard(3, ProcessesSpec())
    assert isinstance(shard, OneCompiledShard) and shard.compiles
    assert (shard.rank, shard.size) == (2, 3) and backend.reduction_backend(
        ProcessesSpec()
    ) == "mpi"
    with_horovod = ProcessesSpec(collectives="horovod")
    plain = backend.one_shard(3, with_horovod)
    assert not plain.compiles and backend.reduction_backend(with_horovod) == "horovod"


def test_one_shard_counts_what_its_steps_send(calls):
    shard = OneCompiledShard(2, calls)
    messages, size = shard.counted()

    @tf.function(jit_compile=True, autograph=False)
    def loop(x):
        def body(i, x):
            x, half = shard.sum([x, tf.cast(x, tf.float64)], "step")
            return i + 1, x + tf.cast(half, tf.float32)

        return tf.while_loop(lambda i, _: i < 4, body, (tf.constant(0), x))[1]

    np.testing.assert_array_equal(loop(tf.ones([5])), [16.0] * 5)
    assert shard.counted() == (messages + 8, size + 4 * 5 * (4 + 8))
    # The gradient comes with the losses, in one message for each type.
    assert shard.single_steps().size == 8 - 1


def test_without_a_compiler_horovod_adds(monkeypatch):
    monkeypatch.setattr(xla_calls, "calls_library", lambda: None)
    xla_calls.calls.cache_clear()
    assert backend.reduction_backend(ProcessesSpec()) == "horovod"
    assert not backend.one_shard(2, ProcessesSpec()).compiles
    xla_calls.calls.cache_clear()
