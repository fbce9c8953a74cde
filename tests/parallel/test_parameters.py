"""A problem with parameters, compiled: the same on any number of processes.

test_problems.py trains the same without a compiler.
"""

from __future__ import annotations

import json

import pytest

from tests.support.launcher import CONFIGS, pdehvd


@pytest.mark.nightly
@pytest.mark.parametrize(("optimizer", "sizes"), [("adam", "123"), ("gauss_newton", "13")])
def test_a_solution_for_all_parameters_does_not_depend_on_the_processes(tmp_path, optimizer, sizes):
    words = ["--set", f"optimizer={optimizer}"]
    if optimizer == "gauss_newton":
        words += ["--set", "sampling.resample_every=null"]
    config = str(CONFIGS / "rods.yaml")
    losses = {}
    for np_ in sizes:
        done = pdehvd("train", config, "--np", np_, "--output", np_, *words, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        losses[np_] = json.loads((tmp_path / np_ / "latest" / "summary.json").read_text())["loss"]
    for loss in losses.values():
        assert loss == pytest.approx(losses["1"], rel=1e-9 if optimizer == "adam" else 1e-4)
