import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import psutil
import pytest
import tensorflow as tf

from pdehvd.errors import ConfigError
from pdehvd.numerics.divided import Divided
from pdehvd.training import stored as stored_module
from pdehvd.training.checkpoint import Checkpoints, blaming, open_checkpoint
from pdehvd.training.checkpoint_index import Counters, is_whole, read_index
from pdehvd.training.history import History
from pdehvd.training.snapshot import Snapshot, write_snapshots
from pdehvd.training.state import TrainState, check_like
from pdehvd.training.stored import StoredState
from tests.support.crew import Crew


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


def snapshot(step=3, size=4):
    one = state(step, size)
    return one.snapshot({name: value.numpy() for name, value in one.optimizer.items()})


def test_a_state_survives_the_file_bit_for_bit(tmp_path):
    Checkpoints(tmp_path, keep=1).save(snapshot())
    stored = open_checkpoint(tmp_path)
    one, two = state(), TrainState.of(stored)
    np.testing.assert_array_equal(one.theta, two.theta)
    np.testing.assert_array_equal(one.selection, two.selection)
    np.testing.assert_array_equal(one.moments, two.moments)
    assert stored.whole("optimizer/iteration").dtype == np.int64
    assert stored.below("optimizer/").names == ("iteration", "slot_0")
    assert (two.step, two.seconds, two.best, two.best_step) == (3, 12.5, 0.25, 2)
    assert two.lowest_loss == np.inf


def test_numpy_reads_the_arrays(tmp_path):
    Checkpoints(tmp_path, keep=1).save(snapshot())
    files = tmp_path / "checkpoints" / "latest"
    np.testing.assert_array_equal(np.load(files / "trainer-0.theta.npy"), np.arange(4.0))


PIECES = [((0, 4), (10, 11)), ((4, 10),), ()]


def test_rows_of_ranks_are_written_and_read_by_any_number(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_module, "_MESSAGE", 3 * 2 * 8)
    whole = np.arange(22.0).reshape(11, 2)

    def write(group):
        own = np.concatenate([whole[:0], *(whole[slice(*span)] for span in PIECES[group.rank])])
        divided = Divided(11, tuple(PIECES), own, group)
        checkpoints = Checkpoints(tmp_path, keep=1, enabled=group.rank == 0)
        checkpoints.save(Snapshot(Counters(step=7), {"a": np.array(2), "b": divided}))

    Crew(3).run(write)
    names = sorted(path.name for path in (tmp_path / "checkpoints/latest").iterdir())
    parts = [f"trainer-0.b.{rank}.npy" for rank in range(3)]
    assert names == ["SHA256SUMS", "index.json", "trainer-0.a.npy", *parts]

    def read(group):
        stored = open_checkpoint(tmp_path, group=group)
        spans = [(group.rank, 5), (9 + group.rank, 11)]
        return stored.whole("a"), stored.whole("b"), stored.rows("b", spans)

    for rank, (scalar, everything, rows) in enumerate(Crew(2).run(read)):
        assert scalar == 2
        np.testing.assert_array_equal(everything, whole)
        np.testing.assert_array_equal(rows, np.concatenate([whole[rank:5], whole[9 + rank :]]))


def test_several_trainers_share_a_checkpoint(tmp_path):
    states = [Snapshot(Counters(step=s), {"theta": np.full(3, float(s))}) for s in (4, 5)]
    write_snapshots(tmp_path, states)
    assert is_whole(tmp_path)
    index = read_index((tmp_path / "index.json").read_bytes())
    for number in range(2):
        stored = StoredState(index, tmp_path, trainer=number)
        assert stored.counters.step == 4 + number == stored.whole("theta")[0]
    with pytest.raises(ConfigError, match="no trainer 2; expected 0 to 1"):
        StoredState(index, tmp_path, trainer=2)


def test_newest_are_kept_and_the_best(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (10, 20, 30, 40):
        checkpoints.save(snapshot(step), best=step == 10)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["best", "latest", "step-00000010", "step-00000030", "step-00000040"]
    assert open_checkpoint(tmp_path).counters.step == 40
    assert open_checkpoint(tmp_path, "best").counters.step == 10


def test_a_torn_checkpoint_is_never_read(tmp_path):
    Checkpoints(tmp_path, keep=2).save(snapshot(10))
    torn = tmp_path / "checkpoints" / ".step-00000020.new"
    torn.mkdir()
    (torn / "index.json").write_bytes(b"{")
    assert open_checkpoint(tmp_path).counters.step == 10
    Checkpoints(tmp_path, keep=2).save(snapshot(20))
    assert open_checkpoint(tmp_path).counters.step == 20


def test_without_the_link_the_newest_is_read(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=3)
    checkpoints.save(snapshot(10))
    checkpoints.save(snapshot(20))
    os.unlink(tmp_path / "checkpoints" / "latest")
    assert open_checkpoint(tmp_path).counters.step == 20


def damage(folder, how, file="trainer-0.theta.npy"):
    """What a broken disk, or one that lied about a power cut, leaves of a checkpoint."""
    path = folder / file
    data = bytearray(path.read_bytes())
    if how == "missing":
        path.unlink()
        return
    if how == "torn":
        del data[len(data) // 2 :]
    elif how == "empty":
        data.clear()
    elif how == "zeros":
        data[-30:] = bytes(30)
    else:
        data[len(data) // 3] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("file", ["trainer-0.theta.npy", "index.json", "SHA256SUMS"])
@pytest.mark.parametrize("how", ["torn", "empty", "zeros", "bit", "missing"])
def test_a_damaged_checkpoint_is_passed_over_and_told(tmp_path, how, file):
    checkpoints = Checkpoints(tmp_path, keep=3)
    for step in (10, 20, 30):
        checkpoints.save(snapshot(step))
    damage(tmp_path / "checkpoints" / "step-00000030", how, file)
    reported = []
    assert open_checkpoint(tmp_path, report=reported.append).counters.step == 20
    assert reported == ["checkpoint step-00000030 is damaged; step-00000020 is used"]
    with pytest.raises(ConfigError, match="damaged"):
        open_checkpoint(tmp_path, "step-00000030")


def test_the_steps_after_a_damaged_checkpoint_write_it_anew(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=3)
    checkpoints.save(snapshot(10))
    checkpoints.save(snapshot(20), best=True)
    damage(tmp_path / "checkpoints" / "step-00000020", "bit")
    (tmp_path / "checkpoints" / ".step-00000030.new").mkdir()
    (tmp_path / "checkpoints" / ".step-00000005.old").mkdir()
    (tmp_path / "checkpoints" / ".latest.new").symlink_to("step-00000030")
    checkpoints.tidy(10)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000010"]
    checkpoints.save(snapshot(20))
    assert open_checkpoint(tmp_path).counters.step == 20


def test_when_all_are_damaged_nothing_is_guessed(tmp_path):
    Checkpoints(tmp_path, keep=3).save(snapshot(10))
    damage(tmp_path / "checkpoints" / "step-00000010", "bit")
    with pytest.raises(ConfigError, match="damaged: step-00000010"):
        open_checkpoint(tmp_path)


def test_the_newest_is_read_wherever_the_link_points(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=3)
    checkpoints.save(snapshot(10))
    checkpoints.save(snapshot(20))
    link = tmp_path / "checkpoints" / "latest"
    link.unlink()
    link.symlink_to("step-00000010")
    assert open_checkpoint(tmp_path).counters.step == 20


def test_the_checksum_is_that_of_sha256sum(tmp_path):
    Checkpoints(tmp_path, keep=3).save(snapshot(10))
    folder = tmp_path / "checkpoints" / "latest"
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, check=False)
    assert checked.returncode == 0


FULL = """
import resource, signal, sys
import tensorflow as tf
from pathlib import Path
from pdehvd.training.checkpoint import Checkpoints
from pdehvd.training.state import TrainState
from pdehvd.experiment.failures import message_and_code

def state(step, size):
    one = tf.ones([1], tf.float64)
    return TrainState(step, tf.ones([size], tf.float64), {}, one, one).snapshot({})

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
checkpoints = Checkpoints(Path(sys.argv[1]), keep=3)
checkpoints.save(state(10, 100))
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    checkpoints.save(state(20, 100_000))
except OSError as error:
    print(message_and_code(error))
"""


def test_a_full_disk_leaves_the_older_checkpoints_whole(tmp_path):
    """The system refuses to write more than 50 kB to a file, half way through a checkpoint."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert ".step-00000020.new/trainer-0.theta.npy cannot be written" in done.stdout, done.stderr
    assert "free some space" in done.stdout and done.stdout.rstrip().endswith("3)")
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["latest", "step-00000010"]
    assert open_checkpoint(tmp_path).counters.step == 10


def test_hundreds_of_checkpoints_leave_few_files_and_no_open_ones(tmp_path):
    checkpoints, history = Checkpoints(tmp_path, keep=2), History(tmp_path)
    before = 0
    for step in range(1, 302):
        history.append({"step": step, "loss/total": 1.0 / step})
        history.flush()
        checkpoints.save(snapshot(step), best=step % 50 == 0)
        open_checkpoint(tmp_path)
        before = before or psutil.Process().num_fds()
    assert psutil.Process().num_fds() == before
    history.close()
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["best", "latest", "step-00000300", "step-00000301"]


def test_a_silent_process_writes_nothing(tmp_path):
    Checkpoints(tmp_path, keep=1, enabled=False).save(snapshot())
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_checkpoint_is_told(tmp_path):
    with pytest.raises(ConfigError, match="no checkpoint"):
        open_checkpoint(tmp_path)


def test_a_checkpoint_of_an_older_version_is_refused(tmp_path):
    old = tmp_path / "checkpoints" / "step-00000010"
    old.mkdir(parents=True)
    (old / "state.npz").write_bytes(b"x")
    with pytest.raises(ConfigError, match="step-00000010 has the format of an older version"):
        open_checkpoint(tmp_path)


def test_another_network_cannot_go_on(tmp_path):
    Checkpoints(tmp_path, keep=1).save(snapshot(size=4))
    stored = open_checkpoint(tmp_path)
    check_like(stored, snapshot(step=0))
    expected = f"{tmp_path}: .*theta is float64.4.; expected float64.5."
    with pytest.raises(ConfigError, match=expected), blaming(tmp_path):
        check_like(stored, snapshot(size=5))


def forged(folder, change):
    """Change the index of a checkpoint, and its checksum as well."""
    Checkpoints(folder, keep=1).save(snapshot())
    path = folder / "checkpoints/step-00000003"
    content = json.loads((path / "index.json").read_text())
    text = change(content)
    (path / "index.json").write_text(text if isinstance(text, str) else json.dumps(content))
    resummed(path)


def resummed(path):
    sums = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in path.iterdir()
        if file.name != "SHA256SUMS"
    ]
    (path / "SHA256SUMS").write_text("".join(sums))


COUNTERS = [{"step": step} for step in ("3", 3.5, -1, True, None, 10**30)] + [{"best": []}]


@pytest.mark.parametrize("counters", COUNTERS)
def test_counters_that_are_none_are_refused(tmp_path, counters):
    forged(tmp_path, lambda index: index["trainers"][0]["counters"].update(counters))
    with pytest.raises(ConfigError, match=f"{tmp_path}: cannot read the checkpoint"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "1", "[" * 99_999, '{"format": 2}', '{"format": 3}'])
def test_an_index_that_is_none_is_refused(tmp_path, text):
    forged(tmp_path, lambda index: text)
    with pytest.raises(ConfigError, match="cannot read the checkpoint"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "record",
    [
        {"dtype": "object"},
        {"dtype": "float32"},
        {"dtype": "nonsense"},
        {"shape": [5]},
        {"shape": [2, 2]},
        {"shape": [-1]},
        {"shape": [10**12]},
        {"spans": [[[0, 3]]]},
        {"spans": [[[0, 3]], [[2, 4]]]},
        {"spans": [[[0, 4]]]},
        {"spans": [[[3, 0]]]},
        {"more": 1},
    ],
)
def test_records_that_do_not_describe_the_files_are_refused(tmp_path, record):
    forged(tmp_path, lambda index: index["trainers"][0]["arrays"]["theta"].update(record))
    with pytest.raises(ConfigError, match="cannot read the checkpoint"):
        open_checkpoint(tmp_path).whole("theta")


def test_an_array_that_is_missing_is_named(tmp_path):
    forged(tmp_path, lambda index: index["trainers"][0]["arrays"].pop("weights") and None)
    with pytest.raises(ConfigError, match="it holds no weights"):
        TrainState.of(open_checkpoint(tmp_path))


def test_a_link_that_a_copy_made_a_folder_is_kept_and_made_again(tmp_path):
    (tmp_path / "checkpoints/latest").mkdir(parents=True)
    (tmp_path / "checkpoints/latest/index.json").write_text("x")
    Checkpoints(tmp_path, keep=2).save(snapshot(10))
    assert os.readlink(tmp_path / "checkpoints/latest") == "step-00000010"
    assert (tmp_path / "checkpoints/latest.moved/index.json").read_text() == "x"
