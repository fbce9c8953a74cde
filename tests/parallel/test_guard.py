"""Runs that stand still or disagree end on all ranks; a run opens no door and keeps no secret."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pdehvd.launch.mpirun import mpirun_command
from tests.support.launcher import CONFIGS, ONE_THREAD, SUPPORT, environment, pdehvd

TINY = str(CONFIGS / "tiny.yaml")
PLUGIN = str(SUPPORT / "misbehaving.py")
BIN = Path(sys.executable).parent
SECRET = "correct-horse-battery-staple"


@contextlib.contextmanager
def running(command: list[str], folder: Path, umask: int = 0o022, **variables: str) -> Iterator:
    """Start a command, and see to it that nothing of it is left."""
    with open(folder / "output.txt", "w") as file:
        child = subprocess.Popen(
            command,
            env={**environment(), **variables},
            cwd=folder,
            stdout=file,
            stderr=subprocess.STDOUT,
            umask=umask,
        )
    try:
        yield child
    finally:
        if child.poll() is None:
            for process in [*psutil.Process(child.pid).children(recursive=True), child]:
                process.kill()
            child.wait()


def ended(child: subprocess.Popen, seconds: float = 120) -> tuple[int, list[psutil.Process]]:
    """Wait for the end; return the exit code and what was left of the processes."""
    tree = psutil.Process(child.pid).children(recursive=True)
    code = child.wait(seconds)
    _, alive = psutil.wait_procs(tree, timeout=10)
    return code, alive


def after_steps(child: subprocess.Popen, folder: Path) -> dict[int, psutil.Process]:
    """Wait for the first lines of metrics; return the processes by rank."""
    metrics = folder / "runs" / "latest" / "metrics.jsonl"
    deadline = time.monotonic() + 240
    while not metrics.exists():
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    ranks = {}
    for process in psutil.Process(child.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            found = process.environ().get("OMPI_COMM_WORLD_RANK")
            if found is not None and "pdehvd" in process.cmdline():
                ranks[int(found)] = process
    return ranks


def reachable(child: subprocess.Popen) -> list[str]:
    """Return the sockets of a command's processes that other machines can send to."""
    found = []
    for process in [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]:
        for socket in process.net_connections("inet"):
            waiting = socket.status == psutil.CONN_LISTEN or (socket.laddr and not socket.raddr)
            if waiting and not ipaddress.ip_address(socket.laddr.ip).is_loopback:
                found.append(f"{process.name()} {socket.laddr.ip}:{socket.laddr.port}")
    return found


def test_a_stopped_rank_ends_a_run_that_was_closed_to_the_network(tmp_path):
    command = [sys.executable, "-m", "pdehvd", "train", TINY, "--np", "2"]
    with running(command, tmp_path, umask=0, MY_API_TOKEN=SECRET) as child:
        ranks = after_steps(child, tmp_path)
        assert sorted(ranks) == [0, 1]
        assert reachable(child) == []
        ranks[1].send_signal(signal.SIGSTOP)
        code, left = ended(child)
    output = (tmp_path / "output.txt").read_text()
    assert code == 1 and left == [], output
    assert "rank 0: no progress for" in output
    assert f"rank 1 (process {ranks[1].pid}), stopped by a signal:" in output
    # The stacks of both, in the order in which mpirun hands the ranks' lines on.
    assert output.count("in _train") == 2, output
    written = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert {"config.yaml", "environment.json", "log.txt", "index.json"} <= {p.name for p in written}
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o666}


@pytest.mark.parametrize("behaviour", ["loops", "leaves"])
def test_over_gloo_a_rank_that_loops_or_leaves_ends_all(behaviour, tmp_path):
    command = [
        *(str(BIN / "horovodrun"), "--gloo", "-np", "2", "-H", "localhost:2"),
        *(sys.executable, "-m", "pdehvd", "train", TINY, "--plugin", PLUGIN),
        *("--set", f"aggregation={behaviour}"),
    ]
    path = f"{BIN}:{os.environ['PATH']}"
    with running(command, tmp_path, PATH=path, LD_PRELOAD="") as child:
        after_steps(child, tmp_path)
        if behaviour == "loops":
            # The look at sockets is no idle one: here it finds the door that the docs warn of.
            assert reachable(child)
        code, left = ended(child)
    output = (tmp_path / "output.txt").read_text()
    assert code == 1 and left == [], output
    assert "CVE-2024-10190" in output
    if behaviour == "loops":
        assert "no progress for" in output and "in misbehave" in output


def test_a_drift_is_found_with_its_rank_and_tensor(tmp_path):
    done = pdehvd(
        *("train", TINY, "--np", "2", "--plugin", PLUGIN, "--set", "aggregation=drifts"),
        cwd=tmp_path,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "after step 15" in done.stderr
    assert "rank 1 differs from rank 0 in layer_0/bias (1 of 4 entries, by up to" in done.stderr


def test_ranks_with_other_configs_do_not_start(tmp_path):
    other = tmp_path / "tiny.yaml"
    other.write_text(Path(TINY).read_text() + "seed: 4\n")
    whole = mpirun_command(["train", TINY], ONE_THREAD, 1)
    second = mpirun_command(["train", str(other)], ONE_THREAD, 1)
    command = [*whole, ":", *second[second.index("-np") :]]
    done = subprocess.run(
        command,
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "rank 1 has a different config than rank 0:" in done.stderr
    assert "-seed: 0" in done.stderr and "+seed: 4" in done.stderr
    assert not (tmp_path / "runs").exists()
