"""Parts of boundaries in whole runs: the right solution or one clear sentence.

test_problems.py trains the same without a compiler.
"""

import json

import pytest

from tests.support.launcher import CONFIGS, pdehvd

HEAD = """
name: parts
seed: 1
precision: float64
sampling: {name: sobol, equations: 256, conditions: 96}
model: {name: mlp, width: 16, depth: 2}
optimizer: gauss_newton
training: {steps: 30, evaluate_every: 30}
"""

SHEARED = """
problem:
  name: pde
  coordinates: {x: null, y: null}
  geometry: {polygon: [[0, 0], [2, 0], [3, 1], [1, 1]]}
  fields: [u]
  equations: {laplace: u_xx + u_yy}
  conditions:
    sides: {periodic: y, of: [u]}
"""

NOTE = "a is a parameter: no equation differentiates with respect to it"


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("problem", "said", "np_"),
    [
        ("lid", None, "1"),
        ("lid", None, "2"),
        ("roles", NOTE, "1"),
        ("roles", NOTE, "2"),
    ],
)
def test_a_part_of_the_boundary_gives_the_right_solution(problem, said, np_, tmp_path):
    config = str(CONFIGS / f"{problem}.yaml")
    done = pdehvd("train", config, "--np", np_, cwd=tmp_path, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((tmp_path / "runs" / "latest" / "summary.json").read_text())
    assert summary["processes"] == int(np_)
    assert summary["relative_l2"]["u"] < 0.02
    assert done.stdout.count(NOTE) == (said is not None)
    assert [NOTE in note for note in summary["notes"]] == [True] * (said is not None)


@pytest.mark.parametrize("np_", ["1", "2"])
def test_pairs_without_partners_end_all_ranks(np_, tmp_path):
    (tmp_path / "config.yaml").write_text(HEAD + SHEARED)
    done = pdehvd("train", "config.yaml", "--np", np_, cwd=tmp_path, timeout=1200)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "50 % of the points on y = 0 have no partner on y = 1" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()
