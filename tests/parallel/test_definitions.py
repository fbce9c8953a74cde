"""Definitions as equations, conditions and outputs: the same on 1 and 3 processes."""

from __future__ import annotations

import json

import numpy as np

from pdehvd import Run
from tests.support.launcher import pdehvd

# 101 points: unequal shards. The bar is pulled to the right.
BAR = """
name: bar
seed: 1
precision: float64
problem:
  name: pde
  coordinates: {x: [0, 2], y: [0, 1]}
  fields: [u, v]
  definitions:
    sxx: 2/(1 - 0.3^2)*(u_x + 0.3*v_y)
    syy: 2/(1 - 0.3^2)*(v_y + 0.3*u_x)
    sxy: 2/(2*(1 + 0.3))*(u_y + v_x)
  equations: {along_x: "div(sxx, sxy)", along_y: "div(sxy, syy)"}
  conditions:
    left: {on: x = 0, equal: {u: 0, sxy: 0}}
    bottom: {on: y = 0, equal: {v: 0, sxy: 0}}
    pulled: {on: x = 2, equal: {sxx*n_x + sxy*n_y: 1, sxy*n_x + syy*n_y: 0}}
    free: {on: y = 1, equal: {sxx*n_x + sxy*n_y: 0, sxy*n_x + syy*n_y: 0}}
  reference: {name: exact, u: x/2, sxx: 1}
sampling: {name: sobol, equations: 101, conditions: 44}
model: {name: mlp, width: 8, depth: 2}
optimizer: gauss_newton
training: {steps: 20, evaluate_every: 20}
"""


def test_stresses_are_found_and_compared_on_any_number_of_processes(tmp_path):
    (tmp_path / "bar.yaml").write_text(BAR)
    errors = {}
    for np_ in ("1", "3"):
        done = pdehvd("train", "bar.yaml", "--np", np_, "--output", np_, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        summary = json.loads((tmp_path / np_ / "latest" / "summary.json").read_text())
        assert summary["processes"] == int(np_)
        errors[np_] = summary["relative_l2"]
    assert list(errors["1"]) == ["u", "sxx"]
    assert max(errors["1"].values()) < 1e-3
    for name, error in errors["1"].items():
        assert abs(errors["3"][name] - error) < 1e-3 * error
    stress = Run(tmp_path / "1" / "latest").predict(np.array([[1.0, 0.5], [0.1, 0.9]]))
    assert list(stress) == ["u", "v", "sxx", "syy", "sxy"]
    np.testing.assert_allclose(stress["sxx"], 1.0, atol=5e-3)
