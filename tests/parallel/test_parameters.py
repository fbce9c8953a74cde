"""A problem with parameters: the same on any number of processes, and looked at where one likes."""

from __future__ import annotations

import json

import pytest

from tests.support.launcher import pdehvd

# 101 points: unequal shards. The network sees the logarithm of a.
RODS = """
name: rods
seed: 1
precision: float64
problem:
  name: pde
  coordinates: {x: [0, 1], t: [0, 1]}
  parameters: {a: {name: log_uniform, range: [0.01, 1]}, b: [1, 2]}
  fields: [u]
  equations: {heat: u_t - a*u_xx}
  conditions:
    ends: {on: boundary, equal: {u: 0}}
    start: {on: t = 0, equal: {u: b*sin(pi*x)}}
  reference: {name: exact, u: b*exp(-a*pi^2*t)*sin(pi*x)}
sampling: {name: sobol, equations: 101, conditions: 41, resample_every: 7}
model: {name: mlp, width: 8, depth: 2}
optimizer: OPTIMIZER
training: {steps: 8, evaluate_every: 8}
"""


@pytest.mark.parametrize(("optimizer", "sizes"), [("adam", "123"), ("gauss_newton", "13")])
def test_a_solution_for_all_parameters_does_not_depend_on_the_processes(tmp_path, optimizer, sizes):
    text = RODS.replace("OPTIMIZER", optimizer)
    if optimizer == "gauss_newton":
        text = text.replace(", resample_every: 7", "")
    (tmp_path / "rods.yaml").write_text(text)
    losses = {}
    for np_ in sizes:
        done = pdehvd("train", "rods.yaml", "--np", np_, "--output", np_, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        losses[np_] = json.loads((tmp_path / np_ / "latest" / "summary.json").read_text())["loss"]
    for loss in losses.values():
        assert loss == pytest.approx(losses["1"], rel=1e-9 if optimizer == "adam" else 1e-4)


def test_it_is_evaluated_drawn_and_exported_at_chosen_values(tmp_path):
    (tmp_path / "rods.yaml").write_text(RODS.replace("OPTIMIZER", "adam"))
    assert pdehvd("train", "rods.yaml", "--output", "out", cwd=tmp_path).returncode == 0
    run = tmp_path / "out" / "latest"
    place = ("--at", "a=0.1", "--at", "b=1.5")
    for command, files in {
        ("evaluate",): ["evaluation_a=0.1,b=1.5.json"],
        ("plot",): ["plots/a=0.1,b=1.5/solution_u.png", "plots/a=0.1,b=1.5/slices_u.png"],
        ("export", "--format", "vtk"): ["exports/fields_a=0.1,b=1.5.vtu"],
    }.items():
        done = pdehvd(command[0], str(run), *command[1:], *place, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert all((run / name).is_file() for name in files)
    errors = json.loads((run / "evaluation_a=0.1,b=1.5.json").read_text())
    assert errors["at"] == {"a": 0.1, "b": 1.5} and 0 < errors["relative_l2"]["u"] < 2
    done = pdehvd("plot", str(run), "--at", "c=1", cwd=tmp_path)
    assert (
        done.returncode == 2
        and "'c' is not a coordinate; expected one of x, t, a, b" in done.stderr
    )
