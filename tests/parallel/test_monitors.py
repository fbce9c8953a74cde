"""Monitors, compiled, are the same on 1, 2 and 3 processes, and after a resume.

test_problems.py follows the same, and test_exact.py some, without a compiler.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.launcher import CONFIGS, pdehvd

CONFIG = str(CONFIGS / "watched.yaml")
EXACT = ("--set", "aggregation={name: exact, chunk: 32}")


def train(here: Path, np_: int, *more: str, output: str = "runs") -> None:
    done = pdehvd(*("train", CONFIG, "--np", str(np_), "--output", output), *more, cwd=here)
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


@pytest.mark.nightly
def test_monitors_depend_on_no_number_of_processes(tmp_path: Path) -> None:
    train(tmp_path, 1, output="one")
    train(tmp_path, 3, output="three")
    one, three = followed(tmp_path / "one/latest"), followed(tmp_path / "three/latest")
    assert [row["step"] for row in one] == [15, 30, 40] and len(one[0]) == 6
    for alone, together in zip(one, three, strict=True):
        assert together == pytest.approx(alone, rel=1e-9)


@pytest.mark.nightly
def test_exact_sums_give_monitors_the_same_bits_after_a_resume_too(tmp_path: Path) -> None:
    train(tmp_path, 1, *EXACT, output="one")
    train(tmp_path, 3, *EXACT, "--set", "training.steps=20", output="others")
    train(tmp_path, 2, *EXACT, "--resume", "latest", output="others")
    # The row of step 20 is the end of the part on three processes.
    again = [row for row in followed(tmp_path / "others/latest") if row["step"] != 20]
    assert again == followed(tmp_path / "one/latest")
