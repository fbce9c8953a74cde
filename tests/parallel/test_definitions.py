"""Definitions as equations, conditions and outputs, compiled: the same on 1 and 3 processes.

test_problems.py trains the same without a compiler.
"""

from __future__ import annotations

import json

import pytest

from tests.support.launcher import CONFIGS, pdehvd


@pytest.mark.nightly
def test_stresses_are_found_and_compared_on_any_number_of_processes(tmp_path):
    errors = {}
    for np_ in ("1", "3"):
        done = pdehvd(
            "train", str(CONFIGS / "bar.yaml"), "--np", np_, "--output", np_, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout + done.stderr
        summary = json.loads((tmp_path / np_ / "latest" / "summary.json").read_text())
        assert summary["processes"] == int(np_)
        errors[np_] = summary["relative_l2"]
    assert list(errors["1"]) == ["u", "sxx"]
    assert max(errors["1"].values()) < 1e-3
    for name, error in errors["1"].items():
        assert abs(errors["3"][name] - error) < 1e-3 * error
