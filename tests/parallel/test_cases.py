"""Cases that people reported: the right answer on any number of processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.nightly.jobs import CASES, expectations
from tests.support.launcher import pdehvd

RIGHT = {name: e.error for name, e in expectations().items() if e.error is not None}


@pytest.mark.parametrize("name", RIGHT)
def test_it_comes_to_the_right_answer(name: str, tmp_path: Path) -> None:
    steps = ["--set", "optimizer.0.steps=300", "--set", "training.steps=1500"]
    config = str(CASES / f"{name}.yaml")
    done = pdehvd("train", config, "--np", "2", "--output", "out", *steps, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out" / "latest" / "summary.json").read_text())
    assert max(summary["relative_l2"].values()) < RIGHT[name]
    assert summary["warnings"] == []
