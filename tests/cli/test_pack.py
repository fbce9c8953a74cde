"""`pack`: a run as one file that is used elsewhere, without what it was trained with."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from pdehvd.config import data_record
from pdehvd.results import pack as module
from tests.support.commands import CONFIG, Type
from tests.support.run_files import write_tables

INITIAL = "    initial: {on: t = 0, equal: {u: -sin(pi*x)}}\n"
TEXT = CONFIG.replace(INITIAL, INITIAL + "    measured: {data: tables/probes.csv}\n").replace(
    "{name: exact, u: -sin(pi*x)*exp(-nu*pi^2*t)}", "{name: file, path: u.npz}"
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config and two data files, of which the runs keep no copies."""
    folder = tmp_path / "project"
    write_tables(folder)
    (folder / "small.yaml").write_text(TEXT)
    monkeypatch.setattr(data_record, "LARGEST_COPY", 10)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(project: Path, type_: Type) -> Path:
    """A run of that config with three checkpoints, the first of which is the best."""
    answer = type_("train", "small.yaml", "--set", "training.steps=6")
    assert answer.code == 0, answer.err
    found = Path("runs/latest").resolve()
    steps = sorted(path.name for path in found.glob("checkpoints/step-*"))
    assert len(steps) == 3
    (found / "checkpoints/best").unlink()
    (found / "checkpoints/best").symlink_to(steps[0])
    (found / "checkpoints/.step-9.new").mkdir()
    return found


def unzip(file: Path) -> Path:
    subprocess.run(["unzip", "-q", file.name], cwd=file.parent, check=True)
    return file.parent


def extract(file: Path) -> Path:
    """Python's own reader makes files of links."""
    with ZipFile(file) as archive:
        archive.extractall(file.parent)
    return file.parent


@pytest.mark.parametrize("unpack", [unzip, extract])
def test_an_unpacked_run_needs_nothing_else(
    type_: Type, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unpack: object
) -> None:
    if unpack is unzip and shutil.which("unzip") is None:
        pytest.skip("there is no unzip")
    before = type_("evaluate", "latest").out
    answer = type_("pack", "latest")
    name = f"small-{run.name}"
    assert (answer.code, answer.err) == (0, "")
    size = Path(f"{name}.zip").stat().st_size / 2**20
    assert answer.out.startswith(f"{name}.zip: {size:.1f} MiB, ") and "files" in answer.out
    there = tmp_path / "there"
    there.mkdir()
    shutil.move(f"{name}.zip", there)
    monkeypatch.chdir(there)
    (tmp_path / "project").rename(tmp_path / "gone")
    found = unpack(there / f"{name}.zip") / name  # type: ignore[operator]
    answer = type_("evaluate", found)
    assert answer.code == 0 and answer.out == before and answer.err == ""
    assert "relative l2" in answer.out
    for words in (["plot"], ["export", "--format", "npz"], ["report"]):
        answer = type_(words[0], found, *words[1:])
        assert answer.code == 0 and answer.err == "", answer.err
    Path("p.csv").write_text("x,t\n0,0\n")
    assert type_("predict", found, "--points", "p.csv").code == 0
    kept = sorted(path.name for path in (found / "checkpoints").iterdir())
    assert kept == ["best", "latest", "step-00000002", "step-00000006"]
    if unpack is unzip:
        assert os.readlink(found / "checkpoints/best") == "step-00000002"


def test_the_run_itself_stays_as_it_is(type_: Type, run: Path) -> None:
    record = (run / "trained_with.json").read_text()
    assert type_("pack", "latest", "--output", "a.zip").code == 0
    assert (run / "trained_with.json").read_text() == record and not (run / "data").exists()
    with ZipFile("a.zip") as archive:
        assert archive.testzip() is None
        inside = f"small-{run.name}/trained_with.json"
        packed = json.loads(archive.read(inside))
        for file in packed["files"]:
            original = Path(file["original"]).read_bytes()
            assert archive.read(f"small-{run.name}/{file['kept']}") == original


def test_what_is_missing_or_has_changed_is_named(type_: Type, run: Path) -> None:
    Path("tables/probes.csv").write_text("x,t,u\n0,0,0\n")
    record = json.loads((run / "trained_with.json").read_text())
    record["plugins"] = [{"file": "mine.py", "sha256": "0" * 64}]
    (run / "trained_with.json").write_text(json.dumps(record))
    answer = type_("pack", "latest", "--output", "a.zip")
    assert answer.code == 0
    first, second = answer.err.splitlines()
    assert "tables/probes.csv is not in it" in first and "--plugin mine.py" in second
    with ZipFile("a.zip") as archive:
        assert sum("/data/" in name for name in archive.namelist()) == 1


def test_a_file_is_there_whole_or_not_at_all(
    type_: Type, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.zip").write_text("old")
    again = type_("pack", "latest", "--output", "a.zip")
    assert again.code == 2 and "a.zip exists and is not overwritten" in again.err
    with monkeypatch.context() as patch:
        patch.setattr(module, "_add", _full)
        answer = type_("pack", "latest", "--output", "a.zip", "--force")
    assert answer.code == 2 and "cannot write a.zip: No space left" in answer.err
    assert Path("a.zip").read_text() == "old" and not list(Path().glob(".a*"))
    assert type_("pack", "latest", "--output", "a.zip", "--force").code == 0
    answer = type_("evaluate", "a.zip")
    assert answer.code == 2 and "a.zip is a packed run" in answer.err and "`unzip" in answer.err


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_bad_input(type_: Type, run: Path) -> None:
    for words, told in (
        (["none"], "there is no run none"),
        (["latest", "--output", "a.tar"], "output: the file cannot be 'a.tar'"),
        (["latest", "--output", "small.yaml/a.zip"], "cannot write small.yaml/a.zip"),
    ):
        answer = type_("pack", *words)
        assert answer.code == 2 and told in answer.err, answer.err
        assert len(answer.err.splitlines()) == 1
    handle = os.open(run, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    answer = type_("pack", "latest")
    assert answer.code == 2 and "another process is writing" in answer.err
    os.close(handle)
    shutil.rmtree(run / "checkpoints")
    answer = type_("pack", "latest")
    assert answer.code == 2 and "has no checkpoint" in answer.err
    assert not list(Path().glob("*.zip"))
