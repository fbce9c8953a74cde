import io
import json
import os
import subprocess
import sys

import numpy as np
import psutil
import pytest
import tensorflow as tf

from pdehvd.errors import ConfigError
from pdehvd.training.checkpoint import Checkpoints, blaming, read_checkpoint
from pdehvd.training.history import History
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


def damage(folder, how):
    """What a broken disk, or one that lied about a power cut, leaves of a checkpoint."""
    path = folder / "state.npz"
    data = bytearray(path.read_bytes())
    if how == "torn":
        del data[len(data) // 2 :]
    elif how == "empty":
        data.clear()
    elif how == "zeros":
        data[-100:] = bytes(100)
    else:
        data[len(data) // 3] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["torn", "empty", "zeros", "bit"])
def test_a_damaged_checkpoint_is_passed_over_and_told(tmp_path, how):
    checkpoints = Checkpoints(tmp_path, keep=3)
    for step in (10, 20, 30):
        checkpoints.save(state(step))
    damage(tmp_path / "checkpoints" / "step-00000030", how)
    told = []
    data = read_checkpoint(tmp_path, tell=told.append)
    assert TrainState.from_bytes(data).step == 20
    assert told == ["checkpoint step-00000030 is damaged; step-00000020 is used"]
    with pytest.raises(ConfigError, match="damaged"):
        read_checkpoint(tmp_path, "step-00000030")


def test_the_steps_after_a_damaged_checkpoint_write_it_anew(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=3)
    checkpoints.save(state(10))
    checkpoints.save(state(20), best=True)
    damage(tmp_path / "checkpoints" / "step-00000020", "bit")
    (tmp_path / "checkpoints" / ".step-00000030.new").mkdir()
    (tmp_path / "checkpoints" / ".step-00000005.old").mkdir()
    (tmp_path / "checkpoints" / ".latest.new").symlink_to("step-00000030")
    checkpoints.tidy(10)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000010"]
    checkpoints.save(state(20))
    assert TrainState.from_bytes(read_checkpoint(tmp_path)).step == 20


def test_when_all_are_damaged_nothing_is_guessed(tmp_path):
    Checkpoints(tmp_path, keep=3).save(state(10))
    damage(tmp_path / "checkpoints" / "step-00000010", "bit")
    with pytest.raises(ConfigError, match="damaged: step-00000010"):
        read_checkpoint(tmp_path)


def test_the_newest_is_read_wherever_the_link_points(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=3)
    checkpoints.save(state(10))
    checkpoints.save(state(20))
    link = tmp_path / "checkpoints" / "latest"
    link.unlink()
    link.symlink_to("step-00000010")
    assert TrainState.from_bytes(read_checkpoint(tmp_path)).step == 20


def test_the_checksum_is_that_of_sha256sum(tmp_path):
    Checkpoints(tmp_path, keep=3).save(state(10))
    folder = tmp_path / "checkpoints" / "latest"
    checked = subprocess.run(["sha256sum", "-c", "state.npz.sha256"], cwd=folder, check=False)
    assert checked.returncode == 0


FULL = """
import resource, signal, sys
import tensorflow as tf
from pathlib import Path
from pdehvd.training.checkpoint import Checkpoints
from pdehvd.training.state import TrainState
from pdehvd.experiment.failures import told

def state(step, size):
    one = tf.ones([1], tf.float64)
    return TrainState(step, tf.ones([size], tf.float64), {}, one, one)

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
checkpoints = Checkpoints(Path(sys.argv[1]), keep=3)
checkpoints.save(state(10, 100))
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    checkpoints.save(state(20, 100_000))
except OSError as error:
    print(told(error))
"""


def test_a_full_disk_leaves_the_older_checkpoints_whole(tmp_path):
    """The system refuses to write more than 50 kB to a file, half way through a checkpoint."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert ".step-00000020.new/state.npz cannot be written" in done.stdout, done.stderr
    assert "free some space" in done.stdout and done.stdout.rstrip().endswith("3)")
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["latest", "step-00000010"]
    assert TrainState.from_bytes(read_checkpoint(tmp_path)).step == 10


def test_hundreds_of_checkpoints_leave_few_files_and_no_open_ones(tmp_path):
    checkpoints, history = Checkpoints(tmp_path, keep=2), History(tmp_path)
    before = 0
    for step in range(1, 302):
        history.append({"step": step, "loss/total": 1.0 / step})
        history.flush()
        checkpoints.save(state(step), best=step % 50 == 0)
        read_checkpoint(tmp_path)
        before = before or psutil.Process().num_fds()
    assert psutil.Process().num_fds() == before
    history.close()
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["best", "latest", "step-00000300", "step-00000301"]


def test_a_silent_process_writes_nothing(tmp_path):
    Checkpoints(tmp_path, keep=1, enabled=False).save(state())
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_checkpoint_is_told(tmp_path):
    with pytest.raises(ConfigError, match="no checkpoint"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("data", [b"", b"nonsense", state().to_bytes()[:200]])
def test_other_bytes_are_no_checkpoint(data):
    with pytest.raises(ConfigError, match="cannot read the checkpoint"):
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


def _forged(counters, **arrays):
    """Return the bytes of a state with other arrays and counters."""
    with np.load(io.BytesIO(state().to_bytes())) as archive:
        held = dict(archive) | arrays
    text = counters if isinstance(counters, str) else json.dumps(counters)
    held["counters"] = np.frombuffer(text.encode(), np.uint8)
    stream = io.BytesIO()
    np.savez(stream, **held)
    return stream.getvalue()


COUNTERS = {"step": 3, "seconds": 1.0, "lowest_loss": 1.0, "lowest_step": 1, "best": 1.0}
COUNTERS |= {"best_step": 1}


@pytest.mark.parametrize(
    "counters",
    [COUNTERS | {"step": step} for step in ("3", 3.5, -1, True, None, 10**30)]
    + [COUNTERS | {"best": []}, [], 1, "[" * 99_999],
)
def test_counters_that_are_none_are_refused(counters):
    TrainState.from_bytes(_forged(COUNTERS))
    with pytest.raises(ConfigError, match="cannot read the checkpoint"):
        TrainState.from_bytes(_forged(counters))


def test_arrays_that_nobody_may_load_are_refused():
    pickled = np.array([print], dtype=object)
    with pytest.raises(ConfigError, match="cannot read the checkpoint"):
        TrainState.from_bytes(_forged(COUNTERS, theta=pickled))
    with pytest.raises(ConfigError, match="cannot read the checkpoint"):
        TrainState.from_bytes(b"\x93NUMPY")


def test_a_state_of_another_network_names_the_run(tmp_path):
    with pytest.raises(ConfigError, match=f"{tmp_path}: .*theta is float64.4."), blaming(tmp_path):
        state(size=4).check_like(state(size=5))


def test_a_link_that_a_copy_made_a_folder_is_kept_and_made_again(tmp_path):
    (tmp_path / "checkpoints/latest").mkdir(parents=True)
    (tmp_path / "checkpoints/latest/state.npz").write_text("x")
    Checkpoints(tmp_path, keep=2).save(state(10))
    assert os.readlink(tmp_path / "checkpoints/latest") == "step-00000010"
    assert (tmp_path / "checkpoints/latest.moved/state.npz").read_text() == "x"
