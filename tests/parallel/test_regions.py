"""Parts of boundaries in whole runs: the right solution or one clear sentence."""

import json

import pytest

from tests.support.launcher import pdehvd

HEAD = """
name: parts
seed: 1
precision: float64
sampling: {name: sobol, equations: 256, conditions: 96}
model: {name: mlp, width: 16, depth: 2}
optimizer: gauss_newton
training: {steps: 30, evaluate_every: 30}
"""

# Three walls are zero, the lid is not.
LID = """
problem:
  name: pde
  coordinates: {x: [0, 1], y: [0, 0.1*10]}
  fields: [u]
  equations: {laplace: u_xx + u_yy}
  conditions:
    walls: {on: boundary and y < 1, equal: {u: 0}}
    lid: {on: y = 1, equal: {u: sin(pi*x)}}
  reference: {name: exact, u: sin(pi*x)*sinh(pi*y)/sinh(pi)}
"""

# The ends of x are walls; those of a and the last instant are not.
ROLES = """
problem:
  name: pde
  coordinates: {x: [0, 1], tau: [0, 1], a: [1, 2]}
  time: tau
  fields: [u]
  equations: {heat: u_tau - 0.1*u_xx}
  conditions:
    walls: {on: boundary, equal: {u: 0}}
    start: {on: tau = 0, equal: {u: a*sin(pi*x)}}
  reference: {name: exact, u: a*exp(-0.1*pi^2*tau)*sin(pi*x)}
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


@pytest.mark.parametrize(
    ("problem", "said", "np_"),
    [
        pytest.param(LID, None, "2", id="lid-2"),
        pytest.param(ROLES, NOTE, "1", id="roles-1"),
        pytest.param(LID, None, "1", id="lid-1", marks=pytest.mark.nightly),
        pytest.param(ROLES, NOTE, "2", id="roles-2", marks=pytest.mark.nightly),
    ],
)
def test_a_part_of_the_boundary_gives_the_right_solution(problem, said, np_, tmp_path):
    (tmp_path / "config.yaml").write_text(HEAD + problem)
    done = pdehvd("train", "config.yaml", "--np", np_, cwd=tmp_path, timeout=1200)
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
