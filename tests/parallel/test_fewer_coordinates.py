"""Fields of fewer coordinates, compiled: the same on any number of processes.

test_problems.py trains the same without a compiler.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.launcher import pdehvd

STEFAN = Path(__file__).parents[2] / "configs" / "stefan.yaml"


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("optimizer", "sizes"), [("adam", "123"), ("gauss_newton", "13"), ("kfac", "123")]
)
def test_a_moving_front_does_not_depend_on_the_processes(tmp_path, optimizer, sizes):
    losses = {}
    for np_ in sizes:
        # 101 points: unequal shards.
        settings = (
            f"optimizer={optimizer}",
            *("sampling.equations=101", "sampling.conditions=31", "model.width=6"),
            *("training.steps=4", "training.evaluate_every=4"),
        )
        words = [word for setting in settings for word in ("--set", setting)]
        done = pdehvd("train", str(STEFAN), "--np", np_, "--output", np_, *words, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        losses[np_] = json.loads((tmp_path / np_ / "latest" / "summary.json").read_text())["loss"]
    for loss in losses.values():
        assert loss == pytest.approx(losses["1"], rel=1e-9 if optimizer == "adam" else 1e-5)
