"""Whole runs on real processes: launchers, resume, interruption, failure and divergence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pdehvd.training.checkpoint import open_checkpoint
from pdehvd.training.state import TrainState
from tests.support.launcher import CONFIGS, SUPPORT, environment, nightly, pdehvd

CONFIG = str(CONFIGS / "problem.yaml")
FAILING = str(SUPPORT / "failing.py")


def run_of(folder: Path) -> Path:
    return (folder / "runs" / "latest").resolve()


def state_of(folder: Path) -> TrainState:
    return TrainState.of(open_checkpoint(run_of(folder)))


def summary_of(folder: Path) -> dict:
    return json.loads((run_of(folder) / "summary.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 100 steps on one process that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    done = pdehvd("train", CONFIG, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(run_of(folder)) in done.stdout
    return state_of(folder)


@pytest.mark.parametrize(("before", "after"), [(1, 3), nightly(2, 3), nightly(3, 1)])
def test_a_run_goes_on_with_another_number_of_processes(whole, before, after, tmp_path):
    np_ = str(before)
    first = pdehvd("train", CONFIG, "--np", np_, "--set", "training.steps=50", cwd=tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    run = run_of(tmp_path)
    second = pdehvd("train", CONFIG, "--np", str(after), "--resume", str(run), cwd=tmp_path)
    assert second.returncode == 0, second.stdout + second.stderr
    assert run_of(tmp_path) == run
    state = state_of(tmp_path)
    assert state.step == 100
    distance = np.linalg.norm(state.theta - whole.theta) / np.linalg.norm(whole.theta)
    assert distance < 1e-10
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == [1, *range(10, 101, 10)]
    assert summary_of(tmp_path)["processes"] == after


@pytest.mark.parametrize(
    "launcher",
    [
        # Lines like these two are typed in a bare shell as well.
        pytest.param(
            ["mpirun", "--oversubscribe", "--bind-to", "none", "-np", "2"],
            id="mpirun",
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            ["horovodrun", "-np", "2", "-H", "localhost:2"],
            id="horovodrun",
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            ["horovodrun", "--gloo", "-np", "2", "-H", "localhost:2"],
            id="gloo",
            marks=pytest.mark.nightly,
        ),
    ],
)
def test_other_launchers_join_the_processes(whole, launcher, tmp_path):
    bin_ = Path(sys.executable).parent
    env = {**environment(), "PATH": f"{bin_}:{os.environ['PATH']}"}
    command = [
        str(bin_ / launcher[0]),
        *launcher[1:],
        sys.executable,
        "-m",
        "pdehvd",
        "train",
        CONFIG,
    ]
    done = subprocess.run(
        command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert summary_of(tmp_path)["processes"] == 2
    assert (
        np.linalg.norm(state_of(tmp_path).theta - whole.theta) / np.linalg.norm(whole.theta) < 1e-10
    )


def test_interruption_writes_a_checkpoint_and_a_summary(tmp_path):
    command = [
        sys.executable,
        "-m",
        "pdehvd",
        "train",
        CONFIG,
        "--np",
        "2",
        "--set",
        "training.steps=10000000",
    ]
    child = subprocess.Popen(
        command,
        env=environment(),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    metrics = tmp_path / "runs" / "latest" / "metrics.jsonl"
    deadline = time.monotonic() + 240
    while not metrics.exists():
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    output, _ = child.communicate(timeout=120)
    assert child.returncode == 130, output
    summary = summary_of(tmp_path)
    assert summary["status"] == "interrupted"
    assert state_of(tmp_path).step == summary["steps"] > 0


def test_a_failing_rank_ends_all_ranks(tmp_path):
    command = [
        "train",
        CONFIG,
        "--np",
        "2",
        "--plugin",
        FAILING,
        "--set",
        "aggregation=failing",
    ]
    done = pdehvd(*command, "--set", "training.steps=1000000", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "rank 1" in done.stderr and "the node is on fire" in done.stderr
    assert "Traceback" not in done.stderr
    left = subprocess.run(["pgrep", "-f", FAILING], capture_output=True, text=True, check=False)
    assert left.stdout == ""


def test_divergence_stops_all_ranks_and_keeps_the_last_good_checkpoint(tmp_path):
    rate = "{name: piecewise, boundaries: [25], values: [1e-3, 1e200]}"
    blow_up = "optimizer={name: sgd, learning_rate: " + rate + "}"
    done = pdehvd(
        "train",
        CONFIG,
        "--np",
        "2",
        "--set",
        blow_up,
        "--set",
        "training.checkpoint_every=10",
        cwd=tmp_path,
    )
    assert done.returncode == 4, done.stdout + done.stderr
    summary = summary_of(tmp_path)
    assert summary["status"] == "diverged"
    state = state_of(tmp_path)
    assert state.step == 20 and np.all(np.isfinite(state.theta))


BREAKING = """\
precision: float64
problem:
  name: pde
  coordinates: {x: [0, 1], t: [0, 1]}
  fields: [u]
  equations: {heat: u_t - u_xx, eikonal: "sqrt(u_x^2 + u_t^2) - 1"}
  hard: {u: "where(x < 0.9, network, 1)"}
sampling: {name: grid, equations: 64}
model: {name: mlp, width: 5, depth: 1}
optimizer: {name: adam}
training: {steps: 200}
"""


@pytest.mark.parametrize("processes", [nightly("1"), "2"])
def test_a_point_of_any_rank_is_named(processes, tmp_path):
    """The gradient has no value for x > 0.9, which are points of the last rank."""
    (tmp_path / "breaking.yaml").write_text(BREAKING)
    done = pdehvd("train", "breaking.yaml", "--np", processes, "--quiet", cwd=tmp_path)
    assert done.returncode == 4, done.stdout + done.stderr
    summary = summary_of(tmp_path)
    place = "x = 0.9375, t = 0.0625, where the term is -1"
    expected = f"the gradient of equation/eikonal is not finite at {place}"
    assert (summary["status"], summary["processes"]) == ("diverged", int(processes))
    assert summary["reason"] == f"the gradient is not finite after 1 step: {expected}"
    assert expected in (run_of(tmp_path) / "log.txt").read_text()
    assert done.stdout == "" and expected in done.stderr
