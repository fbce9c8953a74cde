"""Setting up: what the machine lacks is one sentence and exit code 3; nothing is done twice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.setup import environment
from scripts.setup import horovod as build_horovod
from scripts.shared import machine

ROOT = Path(__file__).parents[2]


def executable(path: Path, text: str) -> str:
    """Write a shell script that stands for a program."""
    path.write_text("#!/bin/sh\n" + text + "\n")
    path.chmod(0o755)
    return str(path)


def set_up(folder: Path, *arguments: str, first: str = "", **variables: str) -> str:
    """Run scripts.setup.environment for a fresh folder, expect exit code 3, return the one line."""
    code = f"import sys, shutil; sys.path.insert(0, {str(ROOT)!r}); {first or 'pass'}\n"
    code += "from scripts.setup import environment; sys.exit(environment.main(sys.argv[1:]))"
    environ = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), **variables}
    if "CXX" not in variables:
        environ.pop("CXX", None)
    command = [sys.executable, "-c", code, "--folder", str(folder / "venv"), *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    lines = done.stderr.splitlines()
    assert done.returncode == 3, done.stderr
    assert len(lines) == 1 and lines[0].startswith("pdehvd setup: "), done.stderr
    assert not (folder / "venv").exists()
    return lines[0]


@pytest.mark.parametrize("program", ["scripts.setup.environment", "scripts.setup.horovod"])
def test_nothing_is_needed_but_the_standard_library(program: str) -> None:
    command = [sys.executable, "-S", "-m", program, "--help"]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert done.returncode == 0 and "usage:" in done.stdout, done.stderr


def test_a_missing_compiler_is_named_before_anything_is_downloaded(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    line = set_up(tmp_path, "--python", sys.executable, PATH=str(tmp_path / "bin"))
    assert "C++ compiler" in line and "CXX" in line


def test_a_compiler_without_cpp17_is_refused(tmp_path: Path) -> None:
    old = executable(tmp_path / "g++", "exit 1")
    assert "C++17" in set_up(tmp_path, "--python", sys.executable, CXX=old)


@pytest.mark.parametrize("version", ["3 9 18", "3 14 0"])
def test_an_unsupported_python_is_refused_with_its_version(tmp_path: Path, version: str) -> None:
    fake = executable(tmp_path / "python-fake", f"echo {version}")
    line = set_up(tmp_path, "--python", fake)
    assert version.replace(" ", ".") in line and "3.13" in line and "PYTHON=" in line


def test_a_python_that_does_not_run_is_refused(tmp_path: Path) -> None:
    assert "no-such-python is not a Python" in set_up(tmp_path, "--python", "no-such-python")


def test_a_python_without_venv_names_the_package(tmp_path: Path) -> None:
    fake = executable(tmp_path / "python-fake", "echo 3 11 7; exit 1")
    assert "python3.11-venv" in set_up(tmp_path, "--python", fake)


def test_missing_space_says_how_much_is_needed_and_free(tmp_path: Path) -> None:
    compiler = executable(tmp_path / "g++", "exit 0")
    full = "shutil.disk_usage = lambda path: shutil._ntuple_diskusage(2**40, 2**40, 2**29)"
    line = set_up(tmp_path, "--python", sys.executable, first=full, CXX=compiler)
    assert "4.0 GiB" in line and "0.5 GiB" in line


def test_an_unwritable_cache_names_its_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = set_up(tmp_path, "--python", sys.executable, XDG_CACHE_HOME=str(tmp_path / "file"))
    assert "XDG_CACHE_HOME" in line


def test_no_network_is_recognised_in_what_pip_prints(tmp_path: Path) -> None:
    offline = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    pip = [sys.executable, "-m", "pip", "download", "--retries", "1", "-d", str(tmp_path)]
    with pytest.raises(machine.SetupError, match="no package index can be reached"):
        machine.run_logged([*pip, "six"], str(tmp_path / "log"), "pip", {**environ, **offline})


def test_any_other_failure_shows_the_log_and_its_last_lines(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('first'); raise SystemExit('the reason')"]
    with pytest.raises(machine.SetupError, match=r"log [\s\S]*the reason"):
        machine.run_logged(command, str(tmp_path / "some.log"), "a step")


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A folder that looks like a finished environment of this Python."""
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "bin" / "pip").touch()
    stamp(folder)
    return folder


def stamp(folder: Path) -> None:
    """Write the stamp of a finished environment."""
    lines = environment.fingerprint(str(folder), sys.version_info[:3])
    (folder / environment.STAMP).write_text("\n".join(lines) + "\n")


def test_a_finished_environment_is_left_alone(ready: Path) -> None:
    before = sorted(ready.rglob("*"))
    assert environment.main(["--folder", str(ready)]) == 0
    assert sorted(ready.rglob("*")) == before


def test_a_build_variable_makes_the_stamp_stale(
    ready: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert environment.finished(str(ready))
    monkeypatch.setenv("HOROVOD_CYCLE_TIME", "0.1")
    assert environment.finished(str(ready))
    monkeypatch.setenv("HOROVOD_GPU_OPERATIONS", "NCCL")
    assert not environment.finished(str(ready))
    assert environment.usable(str(ready))


def test_a_moved_or_interrupted_environment_is_not_taken_for_finished(
    ready: Path, tmp_path: Path
) -> None:
    moved = ready.rename(tmp_path / "elsewhere")
    assert environment.usable(str(moved)) is None
    (moved / environment.STAMP).unlink()
    assert environment.usable(str(moved)) and not environment.finished(str(moved))
    (moved / "bin" / "pip").unlink()
    assert environment.usable(str(moved)) is None


def test_the_key_of_a_wheel_names_what_it_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    key = build_horovod.wheel_key("2.21.0", "openmpi-4.1.8")
    for part in ("horovod-0.28.1", "tensorflow-2.21.0", "openmpi-4.1.8", "cp3"):
        assert part in key
    assert re.fullmatch(r"[A-Za-z0-9._-]+", key)
    monkeypatch.setenv("HOROVOD_GPU_OPERATIONS", "NCCL")
    assert build_horovod.wheel_key("2.21.0", "openmpi-4.1.8") != key


def test_a_broken_wheel_in_the_cache_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wheel = tmp_path / "pdehvd" / "wheels" / "key" / "horovod-0.28.1-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(b"PK\x03\x04 cut off")
    assert build_horovod.cached_wheel("key") is None
    wheel.write_bytes(b"PK\x05\x06" + bytes(18))
    assert build_horovod.cached_wheel("key") == wheel


def test_only_the_one_line_is_taken_out_of_the_source(tmp_path: Path) -> None:
    lists = tmp_path / "horovod" / "tensorflow" / "CMakeLists.txt"
    lists.parent.mkdir(parents=True)
    text = "list(APPEND A mpi_ops.cc)\nlist(APPEND A xla_mpi_ops.cc)\nadd_library(a)\n"
    lists.write_text(text)
    build_horovod.patch(tmp_path, "2.15.1")
    assert lists.read_text() == text
    build_horovod.patch(tmp_path, "2.21.0")
    assert lists.read_text() == "list(APPEND A mpi_ops.cc)\nadd_library(a)\n"
    with pytest.raises(machine.SetupError, match="not the expected one"):
        build_horovod.patch(tmp_path, "2.21.0")
