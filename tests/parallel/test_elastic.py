"""An elastic run on real processes: one joins, one is killed, training goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import psutil
from launcher import ROOT, environment

CONFIG = str(ROOT / "scripts" / "torture.yaml")
PLUGIN = str(ROOT / "scripts" / "torture_plugin.py")


def wait_for(condition: Callable[[], bool], job: subprocess.Popen[bytes]) -> None:
    """Return when something is so, while the job runs."""
    end = time.monotonic() + 240
    while not condition():
        assert job.poll() is None and time.monotonic() < end
        time.sleep(0.1)


def ranks(job: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the ranks: mpirun's children."""
    return [rank for mpirun in psutil.Process(job.pid).children() for rank in mpirun.children()]


def test_one_joins_and_one_is_killed_while_training_goes_on(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("localhost:1\n")
    elastic = f"processes.elastic={{max: 2, discovery: {hosts}, every: 0.2}}"
    settings = [elastic, "training={steps: 10000000, checkpoint_every: 100, log_every: 10}"]
    command = [sys.executable, "-m", "pdehvd", "train", CONFIG, "--plugin", PLUGIN]
    command += [word for setting in settings for word in ("--set", setting)]
    run = tmp_path / "runs" / "latest"
    log, metrics = run / "log.txt", run / "metrics.jsonl"
    with open(tmp_path / "output", "wb") as output:
        job = subprocess.Popen(
            command, cwd=tmp_path, env=environment(), stdout=output, stderr=output
        )

    def steps() -> int:
        return metrics.read_bytes().count(b"\n") if metrics.exists() else 0

    def goes_on(text: str) -> bool:
        told = log.read_text() if log.exists() else ""
        return text in told and "2 processes x 1 threads" in told.split(text)[1]

    wait_for(lambda: steps() > 10, job)
    hosts.write_text("localhost:2\n")
    wait_for(lambda: goes_on("moving from 1 to 2 processes"), job)
    before = steps()
    wait_for(lambda: steps() > before + 10, job)
    os.kill(ranks(job)[1].pid, signal.SIGKILL)
    wait_for(lambda: goes_on("restart 1 of 100 on 2 processes"), job)
    before = steps()
    wait_for(lambda: steps() > before + 10, job)
    job.send_signal(signal.SIGINT)
    assert job.wait(timeout=120) == 130, (tmp_path / "output").read_text()
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    seen = [row["step"] for row in rows]
    # The steps at which it was asked to stop stand between the multiples of ten.
    assert seen == sorted(set(seen)) and set(range(10, seen[-1], 10)) <= set(seen)
    losses = [row["loss/total"] for row in rows]
    # A run that began anew would be back at the first loss.
    assert all(b < a + 0.2 * losses[0] for a, b in pairwise(losses))
    summary = json.loads((run / "summary.json").read_text())
    assert summary["restarts"] == 1 and summary["processes"] == 2
