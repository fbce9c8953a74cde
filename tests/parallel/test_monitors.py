"""Monitors are the same on 1, 2 and 3 processes with unequal shards, and after a resume."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.launcher import pdehvd

# 101 points and one probe: two of three processes have nothing of it.
PROBLEM = """
name: disk
seed: 1
precision: float64
problem:
  name: pde
  coordinates: {x: null, y: null}
  geometry: {disk: {radius: 1}, name: rim}
  fields: [u]
  equations: {poisson: laplacian(u) + 4}
  conditions: {rim: {on: rim, equal: {u: 0}}}
  monitors:
    outflow: {integral: u_n, on: rim, expected: -4*pi}
    volume: {integral: u, expected: pi/2}
    middle: {value: u, at: {x: 0, y: 0}, expected: 1}
    highest: {maximum: u}
    lowest: {minimum: u_x^2 + u_y^2, on: rim and y > 0}
sampling: {name: sobol, equations: 101, conditions: 41}
model: {name: mlp, width: 8, depth: 2}
training: {steps: 40, evaluate_every: 15, checkpoint_every: 20}
"""


def train(here: Path, np_: int, *more: str, output: str = "runs") -> None:
    done = pdehvd(*("train", "disk.yaml", "--np", str(np_), "--output", output), *more, cwd=here)
    assert done.returncode == 0, done.stdout + done.stderr


def followed(run: Path) -> list[dict[str, float]]:
    """Return step and monitors of each row that has some; the summary has those of the last."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    kept = [
        {key: value for key, value in row.items() if key == "step" or key.startswith("monitor/")}
        for row in rows
        if "monitor/outflow" in row
    ]
    stored = json.loads((run / "summary.json").read_text())["monitors"]
    assert {f"monitor/{name}": value for name, value in stored.items()} | {"step": 40} == kept[-1]
    return kept


def test_monitors_depend_on_no_number_of_processes(tmp_path: Path) -> None:
    (tmp_path / "disk.yaml").write_text(PROBLEM)
    train(tmp_path, 1, output="one")
    train(tmp_path, 3, output="three")
    one, three = followed(tmp_path / "one/latest"), followed(tmp_path / "three/latest")
    assert [row["step"] for row in one] == [15, 30, 40] and len(one[0]) == 6
    for alone, together in zip(one, three, strict=True):
        assert together == pytest.approx(alone, rel=1e-9)


def test_exact_sums_give_monitors_the_same_bits_after_a_resume_too(tmp_path: Path) -> None:
    (tmp_path / "disk.yaml").write_text(PROBLEM + "aggregation: {name: exact, chunk: 32}\n")
    train(tmp_path, 1, output="one")
    train(tmp_path, 3, "--set", "training.steps=20", output="others")
    train(tmp_path, 2, "--resume", "latest", output="others")
    # The row of step 20 is the end of the part on three processes.
    again = [row for row in followed(tmp_path / "others/latest") if row["step"] != 20]
    assert again == followed(tmp_path / "one/latest")
