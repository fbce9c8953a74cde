import errno
import subprocess
import sys

import pytest

from pdehvd.assembly import environment_record, run_directory
from pdehvd.errors import ConfigError
from pdehvd.experiment.failures import message_and_code
from pdehvd.launch.typed_command import handed_on


def test_a_run_directory_has_one_writer(tmp_path):
    with run_directory.Lock() as one:
        one.take(tmp_path)
        with run_directory.Lock() as two, pytest.raises(ConfigError, match="another process"):
            two.take(tmp_path)
    with run_directory.Lock() as three:
        three.take(tmp_path)


def test_a_killed_writer_holds_nothing(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from pdehvd.assembly.run_directory import Lock; "
        "Lock().take(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    with run_directory.Lock() as lock:
        lock.take(tmp_path)


def test_what_a_death_left_goes_when_a_run_goes_on(tmp_path):
    (tmp_path / ".config.yaml.new").write_text("half")
    (tmp_path / "summary.json").write_text("{}")
    (tmp_path / "config.yaml").write_text("name: run")
    run_directory.tidy(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_a_full_disk_is_told_with_what_to_do():
    text, code = message_and_code(
        OSError(errno.ENOSPC, "No space left on device", "runs/a/metrics.jsonl")
    )
    assert code == 3 and text.startswith("runs/a/metrics.jsonl cannot be written: No space left")
    assert "--resume" in text


def test_a_folder_in_the_place_of_the_link_is_told_before_anything_is_made(tmp_path):
    (tmp_path / "latest").mkdir()
    with pytest.raises(ConfigError, match="latest is a folder, but the link to the newest run"):
        run_directory.create(tmp_path, "small")
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]


def test_the_command_that_was_typed_reaches_the_record_of_the_ranks(monkeypatch):
    monkeypatch.delenv("PDEHVD_COMMAND", raising=False)
    monkeypatch.setattr("sys.argv", ["pdehvd", "train", "a b.yaml", "--np", "2"])
    for name, value in handed_on().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["pdehvd", "train", "a b.yaml"])
    command = environment_record.environment(2, 1)["command"]
    assert command == ["pdehvd", "train", "a b.yaml", "--np", "2"]


def test_a_folder_that_is_no_run_is_told_what_one_looks_like(tmp_path):
    with pytest.raises(ConfigError, match="expected a directory such as runs/NAME/TIME"):
        run_directory.find(tmp_path)
