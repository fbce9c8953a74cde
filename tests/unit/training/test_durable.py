import errno

import pytest

from pdehvd.training import durable


def test_a_file_is_written_whole_over_the_old_one(tmp_path):
    path = tmp_path / "a.json"
    durable.write_whole(path, b"old")
    durable.write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_keeps_the_old_file_and_is_named():
    with pytest.raises(OSError) as caught:
        durable.write_through(durable.Path("/dev/full"), b"x")
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == "/dev/full"


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    durable.write_whole(path, b"old")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(OSError):
        durable.write_whole(path, b"new")
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_leftovers_go_and_nothing_else(tmp_path):
    for name in (".a.new", ".b.old", "c.new", ".hidden"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".d.new").mkdir()
    (tmp_path / ".e.new").symlink_to(tmp_path / "nowhere")
    durable.remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "c.new"]


def test_a_link_is_removed_and_not_what_it_points_at(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/state.npz").write_text("x")
    (tmp_path / "out").symlink_to("kept")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("x")
    for name in ("out", "loop", "file"):
        durable.remove(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept/state.npz").read_text() == "x"
