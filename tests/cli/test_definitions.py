"""Definitions as conditions and outputs, in a run and in what it predicts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pdehvd import Run
from tests.support.commands import Type
from tests.support.launcher import CONFIGS


def test_stresses_are_compared_and_predicted(type_: Type, here: Path) -> None:
    # Nearly the solution from the start, for what is looked at are the definitions.
    hard = '{u: "x/2 + 1e-6*network", v: "-0.15*y + 1e-6*network"}'
    settings = (f"problem.hard={hard}", "problem.scale=none", "optimizer=adam", "training.steps=1")
    words = [word for setting in settings for word in ("--set", setting)]
    done = type_("train", str(CONFIGS / "bar.yaml"), *words)
    assert done.code == 0, done.err
    summary = json.loads(Path("runs/latest/summary.json").read_text())
    assert list(summary["relative_l2"]) == ["u", "sxx"]
    assert max(summary["relative_l2"].values()) < 1e-3
    stress = Run("runs/latest").predict(np.array([[1.0, 0.5], [0.1, 0.9]]))
    assert list(stress) == ["u", "v", "sxx", "syy", "sxy"]
    np.testing.assert_allclose(stress["sxx"], 1.0, atol=1e-4)
    np.testing.assert_allclose([stress["syy"], stress["sxy"]], 0.0, atol=1e-4)
