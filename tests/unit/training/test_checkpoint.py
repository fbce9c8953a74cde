import os

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.errors import ConfigError
from pdehvd.training.checkpoint import Checkpoints, read_checkpoint
from pdehvd.training.state import TrainState


def state(step=3, size=4):
    return TrainState(
        step,
        tf.range(float(size), dtype=tf.float64),
        {"iteration": tf.constant(step, tf.int64), "slot_0": tf.ones([size], tf.float64)},
        tf.constant([1.0, 2.0], tf.float64),
        tf.constant([0.5, 2.5], tf.float64),
        selection=np.array([5, 1]),
        seconds=12.5,
        best=0.25,
        best_step=2,
    )


def test_a_state_survives_the_file_bit_for_bit():
    one, two = state(), TrainState.from_bytes(state().to_bytes())
    np.testing.assert_array_equal(one.theta, two.theta)
    np.testing.assert_array_equal(one.selection, two.selection)
    np.testing.assert_array_equal(one.moments, two.moments)
    assert two.optimizer["iteration"].dtype == tf.int64
    assert (two.step, two.seconds, two.best, two.best_step) == (3, 12.5, 0.25, 2)
    assert two.lowest_loss == np.inf


def test_newest_are_kept_and_the_best(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (10, 20, 30, 40):
        checkpoints.save(state(step), best=step == 10)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["best", "latest", "step-00000010", "step-00000030", "step-00000040"]
    assert TrainState.from_bytes(read_checkpoint(tmp_path)).step == 40
    assert TrainState.from_bytes(read_checkpoint(tmp_path, "best")).step == 10


def test_a_torn_checkpoint_is_never_read(tmp_path):
    Checkpoints(tmp_path, keep=2).save(state(10))
    torn = tmp_path / "checkpoints" / ".step-00000020.new"
    torn.mkdir()
    (torn / "state.npz").write_bytes(state(20).to_bytes()[:100])
    assert TrainState.from_bytes(read_checkpoint(tmp_path)).step == 10
    Checkpoints(tmp_path, keep=2).save(state(20))
    assert TrainState.from_bytes(read_checkpoint(tmp_path)).step == 20


def test_without_the_link_the_newest_is_read(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=3)
    checkpoints.save(state(10))
    checkpoints.save(state(20))
    os.unlink(tmp_path / "checkpoints" / "latest")
    assert TrainState.from_bytes(read_checkpoint(tmp_path)).step == 20


def test_a_silent_process_writes_nothing(tmp_path):
    Checkpoints(tmp_path, keep=1, enabled=False).save(state())
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_checkpoint_is_told(tmp_path):
    with pytest.raises(ConfigError, match="no checkpoint"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("data", [b"", b"nonsense", state().to_bytes()[:200]])
def test_other_bytes_are_no_checkpoint(data):
    with pytest.raises(ConfigError, match="no checkpoint"):
        TrainState.from_bytes(data)


def test_a_pickle_is_not_loaded(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(path, theta=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ConfigError):
        TrainState.from_bytes(path.read_bytes())


def test_another_network_cannot_go_on():
    with pytest.raises(ConfigError, match="does not fit"):
        state(size=5).check_like(state(size=4))
    state().check_like(state(step=0))
