"""Gauss-Newton on small problems: all solvers take the same steps, and converge."""

import itertools

import numpy as np
import pytest

from pdehvd.comm.group import Solo
from pdehvd.config.root import load_config
from pdehvd.errors import ConfigError
from pdehvd.optimizers.base import StalledError
from pdehvd.optimizers.gauss_newton import GaussNewton, choose
from tests.support.hosts import host_of
from tests.support.stored import held

CONFIG = """
precision: float64
problem:
  name: pde
  coordinates: {x: [0, 1]}
  fields: [u]
  equations: {decay: u_x + u^2}
  conditions: {start: {on: x = 0, equal: {u: 1}}}
sampling: {name: uniform, equations: 30, conditions: 1}
model: {name: mlp, width: 8, depth: 2}
"""


@pytest.fixture
def host():
    return host_of(CONFIG)


def run(spec, host, steps):
    objective, theta = host
    method = spec.build(Solo())
    state, losses, facts = method.init(theta), [], {}
    for _ in range(steps):
        theta, state, point, facts = method.step(objective, theta, state)
        losses.append(point.loss)
    return theta, state, losses, facts


SOLVERS = {
    "normal": {"solver": "normal"},
    "kernel": {"solver": "kernel"},
    "cg": {"solver": "cg", "iterations": 400, "tolerance": 1e-13, "rank": 30},
    "plain cg": {"solver": "cg", "iterations": 2000, "tolerance": 1e-13, "rank": 0},
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_solvers_take_the_same_steps(host, solver, momentum):
    common = {"damping": 1e-2, "momentum": momentum}
    theta, *_ = run(GaussNewton(**common, solver="normal"), host, 4)
    other, _, losses, facts = run(GaussNewton(**common, **SOLVERS[solver]), host, 4)
    np.testing.assert_allclose(other, theta, rtol=1e-6, atol=1e-9)
    assert losses[-1] < losses[0]
    assert {"damping", "step_length", "evaluations", "restarts"} <= set(facts)


def test_adaptive_damping_converges_to_rounding(host):
    _, state, losses, _ = run(GaussNewton(), host, 40)
    assert losses[-1] < 1e-12 and all(b < a for a, b in itertools.pairwise(losses))
    assert float(state["damping"]) < 1e-6


def test_fixed_damping_with_the_grid_lowers_the_loss(host):
    spec = GaussNewton(adaptive=False, line_search=True, damping=1e-8)
    _, state, losses, facts = run(spec, host, 15)
    assert losses[-1] < 1e-8 and all(b < a for a, b in itertools.pairwise(losses))
    assert float(state["damping"]) == 1e-8
    assert facts["evaluations"] == 1 + 8 + 1


def test_state_alone_continues_a_run(host):
    objective, _ = host
    spec = GaussNewton(momentum=0.5, line_search=True)
    whole, *_ = run(spec, host, 6)
    theta, state, *_ = run(spec, host, 3)
    other = spec.build(Solo())
    state = other.restored(held(spec.build(Solo()).kept(state)), objective.layout)
    for _ in range(3):
        theta, state, *_ = other.step(objective, theta, state)
    np.testing.assert_array_equal(theta, whole)


def test_a_minimum_stalls_after_one_restart():
    # The best k is 3/4 up to sampling, and leaves a loss.
    fit = ["problem.equations={fit: k*x - x^2 + 1.0e-30*u}", "problem.unknowns={k: 0}"]
    objective, theta = host_of(CONFIG, *fit)
    method = GaussNewton().build(Solo())
    state = method.init(theta)
    with pytest.raises(StalledError, match="no damping"):
        for _ in range(100):
            theta, state, point, _ = method.step(objective, theta, state)
    assert theta[-1] == pytest.approx(0.75, abs=0.1)
    assert point.loss > 1e-4 and np.linalg.norm(point.gradient) < 1e-8


def test_the_smaller_matrix_is_chosen():
    assert choose(100, 200) == "normal" and choose(200, 100) == "kernel"
    assert choose(50_000, 90_000) == "cg"


@pytest.mark.parametrize(
    "wrong", [{"damping": -1}, {"momentum": 1.0}, {"rank": -1}, {"adaptive": False}]
)
def test_what_cannot_work_is_refused(wrong):
    with pytest.raises(ConfigError):
        GaussNewton(**wrong)


@pytest.mark.parametrize(
    ("optimizer", "keeps"),
    [
        ("adam", False),
        ("{name: gauss_newton, solver: cg}", False),
        ("gauss_newton", True),
        ("[{name: adam, steps: 5}, gauss_newton]", True),
    ],
)
def test_a_run_keeps_freed_memory_where_any_phase_wants_it(optimizer, keeps, tmp_path):
    path = tmp_path / "decay.yaml"
    path.write_text(CONFIG)
    config, _ = load_config(path, (f"optimizer={optimizer}",))
    assert config.keeps_memory == keeps
