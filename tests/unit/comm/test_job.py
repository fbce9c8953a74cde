"""Restarts: a program stands in for mpirun and dies as it is told."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pdehvd.comm import job, launch
from pdehvd.comm.spec import ProcessesSpec

MPIRUN = """#!{python}
import os, sys
folder = {folder!r}
with open(folder + "/calls", "a") as calls:
    np = sys.argv[sys.argv.index("-np") + 1]
    resumed = "--resume" in sys.argv
    print(np, resumed, os.environ["PDEHVD_RESTARTS"], file=calls)
count = len(open(folder + "/calls").readlines())
codes = {codes!r}
if {notes!r}:
    open(os.environ["PDEHVD_NOTE"], "w").write(folder)
code = codes[min(count, len(codes)) - 1]
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """Launch with an mpirun that ends with these codes in turn; return code and its calls."""

    def launched(codes, np=3, notes=True, **processes):
        fake = tmp_path / "mpirun"
        fake.write_text(
            MPIRUN.format(python=sys.executable, folder=str(tmp_path), codes=codes, notes=notes)
        )
        fake.chmod(0o755)
        monkeypatch.setattr(launch, "_find_mpirun", lambda: str(fake))
        code = launch.launch(["train", "a.yaml"], ProcessesSpec(**processes), np)
        return code, (tmp_path / "calls").read_text().splitlines()

    return launched


def test_a_death_is_survived_from_the_last_checkpoint(calls, tmp_path, capfd):
    code, seen = calls([137, 1, 0], restarts=3)
    assert code == 0
    assert seen == ["3 False 0", "3 True 1", "3 True 2"]
    log = (tmp_path / "log.txt").read_text()
    assert "exit code 137" in log and "restart 2 of 3 on 3 processes" in log
    assert "restart 1 of 3" in capfd.readouterr().err


def test_a_run_may_go_on_with_those_that_are_left(calls):
    _, seen = calls([137, 137, 137, 0], restarts=5, np=2, shrink=True)
    assert [line.split()[0] for line in seen] == ["2", "1", "1", "1"]


def test_a_killed_launcher_of_the_ranks_is_a_death(calls):
    assert calls([-9, 0], restarts=1)[0] == 0


def test_restarts_are_counted(calls):
    code, seen = calls([137, 137, 137, 137], restarts=2)
    assert code == 137 and len(seen) == 3


@pytest.mark.parametrize("code", [0, 2, 3, 4, 130])
def test_what_another_start_would_not_change_is_final(calls, code):
    returned, seen = calls([code, 0], restarts=3)
    assert returned == code and len(seen) == 1


def test_a_death_before_there_is_a_run_starts_from_the_beginning(calls):
    code, seen = calls([137, 0], restarts=1, notes=False)
    assert code == 0 and seen == ["3 False 0", "3 False 1"]


def test_without_restarts_a_death_is_the_end(calls):
    code, seen = calls([137, 0])
    assert code == 137 and len(seen) == 1


def test_a_resumed_run_is_resumed_once():
    run = Path("runs/b")
    arguments = ["train", "a.yaml", "--resume", "runs/a", "--quiet"]
    expected = ["train", "a.yaml", "--quiet", "--resume", "runs/b"]
    assert job.resuming(arguments, run) == expected
    assert job.resuming(expected, run) == expected


PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
print(child.pid, flush=True)
time.sleep(60)
"""
CHILD = """
import os, time
{before}
from pdehvd.comm.orphan import watch_launcher
watch_launcher()
print("watching", flush=True)
time.sleep(60)
"""


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


@pytest.mark.parametrize("deep", [False, True], ids=["parent", "its parent"])
def test_a_process_ends_when_its_launcher_is_killed(deep):
    """A killed parent is enough; with our own launcher, a killed parent of the parent."""
    before = "os.environ['PDEHVD_LAUNCHER'] = os.environ['TOP']" if deep else ""
    inner = CHILD.format(before=before)
    program = [sys.executable, "-c", PARENT, inner]
    if deep:
        outer = "import os, subprocess, sys; os.environ['TOP'] = str(os.getpid()); " + (
            "subprocess.run(sys.argv[1:])"
        )
        program = [sys.executable, "-c", outer, *program]
    top = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert top.stdout is not None
    pid = int(top.stdout.readline())
    assert top.stdout.readline() == "watching\n" and alive(pid)
    parent = int(Path(f"/proc/{pid}/stat").read_text().split()[3])
    os.kill(top.pid, signal.SIGKILL)
    end = time.monotonic() + 20
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    survived = alive(pid)
    if deep:
        os.kill(parent, signal.SIGKILL)
    top.wait()
    assert not survived
