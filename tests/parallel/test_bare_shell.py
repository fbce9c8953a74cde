"""The documented lines of other launchers, typed in a shell where no environment is activated."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.setup import horovod as build_horovod
from tests.support.launcher import ROOT, nightly
from tests.support.typed import fenced

SHORT = "--set training.steps=10 --set training.report=false"
# Open MPI starts neither a superuser's processes nor more than there are cores without these.
ALLOWED = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
}
LINES = {
    re.sub(" +#.*", "", line)
    for page in (ROOT / "README.md", ROOT / "docs" / "launching.md")
    for _, language, _, text in fenced(page)
    if language == "bash"
    for line in text.splitlines()
    if line.startswith((".venv/bin/horovodrun", ".venv/bin/mpirun"))
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder as `make` leaves it, with this environment's programs."""
    folder = tmp_path_factory.mktemp("checkout")
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for program in Path(sys.executable).parent.iterdir():
        (programs / program.name).symlink_to(program)
    for name in ("lib", "pyvenv.cfg"):
        (folder / ".venv" / name).symlink_to(Path(sys.prefix, name))
    (folder / "configs").symlink_to(ROOT / "configs")
    build_horovod.install_program(programs)
    return folder


def in_a_bare_shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Type a line where the PATH has the system's programs only."""
    kept = {"HOME": os.environ.get("HOME", str(folder)), "PATH": "/usr/bin:/bin"}
    # This tree, where the environment belongs to another one.
    environment = {**kept, **ALLOWED, "PYTHONPATH": str(ROOT)}
    command = ["/bin/sh", "-c", line]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=300
    )


def test_there_are_lines_with_mpi_and_with_gloo():
    launchers = [line.split(" -np")[0] for line in sorted(LINES)]
    assert launchers == [
        ".venv/bin/horovodrun --gloo",
        ".venv/bin/horovodrun",
        ".venv/bin/mpirun",
    ]


# Horovod over MPI is joined the same way as mpirun joins it.
BY_DAY = [line for line in sorted(LINES) if "mpirun" in line or "--gloo" in line]


@pytest.mark.parametrize("line", [n if n in BY_DAY else nightly(n) for n in sorted(LINES)])
def test_a_line_joins_two_processes(line, checkout):
    shutil.rmtree(checkout / "runs", ignore_errors=True)
    done = in_a_bare_shell(f"{line} {SHORT}", checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    (summary,) = checkout.glob("runs/burgers/*/summary.json")
    assert json.loads(summary.read_text())["processes"] == 2


def test_the_arguments_of_a_command_arrive_as_they_are(checkout):
    program = "import sys; print(sys.argv[1:])"
    told = shlex.join(["python", "-c", program, "two words", "$HOME", "it's"])
    done = in_a_bare_shell(f".venv/bin/horovodrun -np 1 -H localhost:1 {told}", checkout)
    assert "['two words', '$HOME', \"it's\"]" in done.stdout, done.stdout + done.stderr
