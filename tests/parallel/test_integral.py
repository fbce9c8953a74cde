"""A constant that only an integral over a disk fixes is found, compiled, on one process and two.

test_problems.py trains the same without a compiler.
"""

from __future__ import annotations

import json

import pytest

from tests.support.launcher import CONFIGS, pdehvd


@pytest.mark.nightly
@pytest.mark.parametrize("processes", ["1", "2"])
def test_neumann_conditions_and_an_integral(processes, tmp_path):
    done = pdehvd("train", str(CONFIGS / "disk.yaml"), "--np", processes, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((tmp_path / "runs" / "latest" / "summary.json").read_text())
    assert summary["processes"] == int(processes)
    assert summary["relative_l2"]["u"] < 1e-4
