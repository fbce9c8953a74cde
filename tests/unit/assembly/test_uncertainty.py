"""Standard deviations of discovered numbers, against the linear theory and against repeats."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.assembly.build import build_parts
from pdehvd.assembly.trust.uncertainty import spread
from pdehvd.comm.group import Solo
from pdehvd.objectives.host import HostCalls, HostObjective
from pdehvd.optimizers.base import StalledError
from pdehvd.training.state import TrainState
from tests.support.warnings_before import config_of

DECAY = """
coordinates: {t: [0, 2]}
fields: [u]
unknowns: UNKNOWNS
equations: {decay: EQUATION}
conditions: {start: {at: {t: 0}, equal: {u: 1}}, measured: {data: DATA}}
"""
NOISE, COUNT, STRONG = 0.03, 30, {"decay": 100.0, "start": 100.0}
# exp(-t) is fitted by k near 1: du/dk = -t exp(-t).
TRUE = {"k": 1.0}


def fitted(folder, seed, unknowns="{k: 0.5}", equation="u_t + k*u", steps=40, fields=8):
    """Return the problem and the state of a fit to noisy values of exp(-t)."""
    random = np.random.default_rng(seed)
    t = np.sort(random.uniform(0, 2, COUNT))
    u = np.exp(-t) + NOISE * random.standard_normal(COUNT)
    np.savetxt(folder / "u.csv", np.c_[t, u], delimiter=",", header="t,u", comments="")
    text = DECAY.replace("UNKNOWNS", unknowns).replace("EQUATION", equation)
    config = config_of(
        text.replace("DATA", str(folder / "u.csv")),
        optimizer={"name": "gauss_newton"},
        model={"name": "mlp", "width": fields, "depth": 1},
        weighting={"name": "fixed", "terms": STRONG},
    )
    parts = build_parts(config, Solo())
    whole = parts.objective
    weights = config.weighting.initial(whole.terms)
    host = HostObjective(HostCalls(whole), whole.batch(0), tf.constant(weights, tf.float64))
    method, theta = parts.phases[0].optimizer, whole.initial(seed=1)
    state = method.init(theta)
    for _ in range(steps):
        try:
            theta, state, _, _ = method.step(host, theta, state)
        except StalledError:
            break
    return config, whole.problem, TrainState(steps, theta, {}, weights), t


def test_it_is_that_of_nonlinear_regression(tmp_path):
    """sigma / sqrt(sum (du/dk)^2), with the noise found in the residuals."""
    config, problem, state, t = fitted(tmp_path, 0)
    found = spread(config, problem, state)
    k = float(state.theta[-1])
    expected = found.noise["measured"] / np.sqrt(np.sum((t * np.exp(-k * t)) ** 2))
    assert found.by_name == {"k": pytest.approx(expected, rel=0.1)}
    assert found.noise == {"measured": pytest.approx(NOISE, rel=0.3)}
    assert found.doubts({"k": k}) == []
    assert found.remark("k") == f" +- {found.by_name['k']:.2g} (standard deviation)"


def test_a_positive_unknown_has_the_same(tmp_path):
    plain = spread(*fitted(tmp_path, 0)[:3])
    logarithm = spread(*fitted(tmp_path, 0, "{k: {initial: 0.5, positive: true}}")[:3])
    assert logarithm.by_name["k"] == pytest.approx(plain.by_name["k"], rel=1e-2)


def test_numbers_that_the_data_cannot_distinguish(tmp_path):
    """k + m is known, k and m are not."""
    found = spread(*fitted(tmp_path, 0, "{k: 0.5, m: 0.3}", "u_t + (k + m)*u")[:3])
    assert found.free == ("k", "m") and found.by_name == {}
    (doubt,) = found.doubts({"k": 0.6, "m": 0.4})
    assert doubt.startswith("the data do not determine k and m: they can change together")


def test_numbers_that_are_hard_to_distinguish(tmp_path):
    """k + m (1 + t/1000): any difference of k and m hides in the noise."""
    found = spread(*fitted(tmp_path, 0, "{k: 0.5, m: 0.3}", "u_t + (k + m*(1 + t/100))*u")[:3])
    assert found.free == () and found.correlations[0, 1] < -0.99
    doubts = found.doubts({"k": 0.6, "m": 0.4})
    assert any("k and m can hardly be distinguished by the data" in one for one in doubts)
    assert any("k is not determined by the data: its standard" in one for one in doubts)


def test_nothing_is_said_where_nothing_is_known(tmp_path):
    config, problem, state, _ = fitted(tmp_path, 0, steps=1)
    early = spread(config, problem, state)
    assert early.by_name == {} and "not converged: " in early.remark("k")
    without = config.problem.model_copy(update={"conditions": {}})
    bare = config.model_copy(update={"problem": without})
    assert spread(bare, without.build(config.sampling, config.seed), state) is None
    unweighted = np.where([name == "data/measured" for name in problem.terms], 0.0, 1.0)
    assert spread(config, problem, TrainState(1, state.theta, {}, unweighted)) is None
    large = TrainState(1, np.zeros(5000), {}, np.asarray(state.weights))
    assert spread(config, problem, large) is None


@pytest.mark.nightly
def test_intervals_cover_the_truth_in_95_of_100_repeats(tmp_path):
    inside = 0
    for seed in range(100):
        config, problem, state, _ = fitted(tmp_path, seed)
        deviation = spread(config, problem, state).by_name["k"]
        inside += abs(float(state.theta[-1]) - TRUE["k"]) < 1.96 * deviation
    assert 90 <= inside <= 99, inside
