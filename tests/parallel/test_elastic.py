"""Elastic runs on real processes: some join, some are killed, training goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from tests.support.launcher import ROOT, environment

CONFIG = str(ROOT / "scripts" / "torture" / "torture.yaml")
PLUGIN = str(ROOT / "scripts" / "torture" / "haste.py")


# What mpirun calls in place of ssh: a machine is a daemon with a folder of its own.
AGENT = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
export TMPDIR="$(dirname "$0")/$1"; shift
mkdir -p "$TMPDIR"
exec sh -c "$*"
"""


class ElasticRun:
    """A run on two processes at most, which trains until it is stopped."""

    def __init__(self, folder: Path, grants: str, variables: dict[str, str]) -> None:
        self.folder, self.hosts = folder, folder / "hosts"
        self.hosts.write_text(grants)
        elastic = f"processes.elastic={{max: 2, discovery: {self.hosts}, every: 0.2}}"
        training = "training={steps: 10000000, checkpoint_every: 100, log_every: 10}"
        command = [sys.executable, "-m", "pdehvd", "train", CONFIG, "--plugin", PLUGIN]
        command += ["--set", elastic, "--set", training]
        with open(folder / "output", "wb") as output:
            self.job = subprocess.Popen(
                command, cwd=folder, env=variables, stdout=output, stderr=output
            )
        self.run = folder / "runs" / "latest"

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        """Return when something is so, while the job runs."""
        end = time.monotonic() + 240
        while not condition():
            assert self.job.poll() is None and time.monotonic() < end, self.output()
            time.sleep(0.1)

    def output(self) -> str:
        return (self.folder / "output").read_text()

    def train(self) -> None:
        """Return after some more rows of metrics."""
        metrics = self.run / "metrics.jsonl"

        def rows() -> int:
            return metrics.read_bytes().count(b"\n") if metrics.exists() else 0

        before = rows()
        self._wait_for(lambda: rows() > before + 10)

    def goes_on(self, text: str, processes: int) -> None:
        """Return when the launcher has told of a change and so many processes train again."""
        log, started = self.run / "log.txt", f"{processes} process"

        def so() -> bool:
            told = log.read_text() if log.exists() else ""
            return text in told and started in told.split(text)[1].split("\n", 1)[1]

        self._wait_for(so)
        self.train()

    def stop(self) -> dict[str, object]:
        """Stop as Ctrl-C does, look at all rows, and return the summary."""
        self.job.send_signal(signal.SIGINT)
        assert self.job.wait(timeout=120) == 130, self.output()
        rows = [json.loads(row) for row in (self.run / "metrics.jsonl").read_text().splitlines()]
        seen = [row["step"] for row in rows]
        # The steps at which it was asked to stop stand between the multiples of ten.
        assert seen == sorted(set(seen)) and set(range(10, seen[-1], 10)) <= set(seen)
        losses = [row["loss/total"] for row in rows]
        # A run that began anew would be back at the first loss.
        assert all(b < a + 0.2 * losses[0] for a, b in pairwise(losses))
        assert not list(self.folder.glob(".pdehvd-*"))
        summary: dict[str, object] = json.loads((self.run / "summary.json").read_text())
        return summary


def test_one_joins_and_one_is_killed_while_training_goes_on(tmp_path: Path) -> None:
    run = ElasticRun(tmp_path, "localhost:1\n", environment())
    run.train()
    run.hosts.write_text("localhost:2\n")
    run.goes_on("moving from 1 to 2 processes", 2)
    (mpirun,) = psutil.Process(run.job.pid).children()
    os.kill(mpirun.children()[1].pid, signal.SIGKILL)
    run.goes_on("restart 1 of 100 on 2 processes", 2)
    summary = run.stop()
    assert summary["restarts"] == 1 and summary["processes"] == 2


def daemon_of(machine: Path) -> psutil.Process:
    """Return Open MPI's daemon on what stands for a machine."""
    for process in psutil.process_iter(["name"]):
        with suppress(psutil.Error):
            if process.name() == "orted" and process.environ().get("TMPDIR") == str(machine):
                return process
    raise AssertionError(f"no daemon on {machine}")


@pytest.mark.nightly
def test_a_machine_joins_and_a_machine_dies_while_training_goes_on(tmp_path: Path) -> None:
    agent = tmp_path / "agent.sh"
    agent.write_text(AGENT)
    agent.chmod(0o755)
    settings = {
        "plm_rsh_agent": str(agent),
        "oob_tcp_if_include": "lo",
        "btl": "self,vader,tcp",
        "btl_tcp_if_include": "lo",
    }
    variables = {f"OMPI_MCA_{name}": value for name, value in settings.items()}
    run = ElasticRun(tmp_path, "first:1\n", {**os.environ, "PYTHONPATH": str(ROOT), **variables})
    run.train()
    run.hosts.write_text("first:1\nsecond:1\n")
    run.goes_on("moving from 1 to 2 processes on first, second", 2)
    dead = daemon_of(tmp_path / "second")
    left = dead.children()
    assert len(left) == 1
    run.hosts.write_text("first:1\n")
    dead.kill()
    run.goes_on("restart 1 of 100 on 1 process on first", 1)
    assert not any(rank.is_running() for rank in left)
    summary = run.stop()
    assert summary["restarts"] == 1 and summary["processes"] == 1
