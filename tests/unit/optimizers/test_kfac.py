"""KFAC: exact where Kronecker's approximation is, and it trains where it is not."""

import itertools

import numpy as np
import pytest

from pdehvd.comm.group import Solo
from pdehvd.optimizers.kfac import KFAC
from tests.support.hosts import host_of
from tests.support.stored import held

CONFIG = """
problem:
  name: pde
  coordinates: {x: [0, 1], y: [0, 1]}
  fields: [u]
  equations: {balance: u_xx + u_yy + 2*pi^2*sin(pi*x)*sin(pi*y)}
  conditions: {walls: {on: boundary, equal: {u: 0}}}
  unknowns: {}
sampling: {name: sobol, equations: 64, conditions: 32}
model: {name: mlp, width: 12, depth: 2}
"""
# One signal for all rows: J = a x 1, so that J^T J = A (x) B without approximation.
LINEAR = """
precision: float64
problem:
  name: pde
  coordinates: {x: [0, 1], y: [0, 1]}
  fields: [u]
  equations: {fit: u - 1 - 2*x + y*x}
sampling: {name: sobol, equations: 64}
model: {name: mlp, layers: [1], activation: softplus}
"""


def run(spec, host, theta, steps):
    method = spec.build(Solo())
    state, losses = method.init(theta), []
    for _ in range(steps):
        theta, state, point, facts = method.step(host, theta, state)
        losses.append(point.loss)
    return theta, state, losses, facts


def test_exact_for_a_layer_with_one_signal():
    host, theta = host_of(LINEAR)
    at = host.linearize(theta)
    last = at.places[-1]
    pair = at.kronecker()[-1][0]
    whole = np.triu(at.normal().own[0])[last, last]
    np.testing.assert_allclose(np.triu(np.kron(pair.inputs, pair.signals)), whole, rtol=1e-12)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_the_loss_falls_at_every_step(precision):
    host, theta = host_of(CONFIG, f"precision={precision}")
    theta, _, losses, facts = run(KFAC(damping=1e-5), host, theta, 60)
    assert theta.dtype == precision
    assert all(b < a for a, b in itertools.pairwise(losses))
    assert losses[-1] < 1e-3 * losses[0]
    assert {"step_length", "momentum", "damping", "evaluations"} <= set(facts)


def test_state_alone_continues_a_run():
    host, start = host_of(CONFIG, "precision=float64")
    spec = KFAC()
    whole, *_ = run(spec, host, start, 6)
    theta, state, *_ = run(spec, host, start, 3)
    other = spec.build(Solo())
    state = other.restored(held(spec.build(Solo()).kept(state)), host.layout)
    for _ in range(3):
        theta, state, *_ = other.step(host, theta, state)
    np.testing.assert_allclose(theta, whole, rtol=1e-12)


def test_the_step_minimises_the_quadratic_model():
    host, theta = host_of(CONFIG, "precision=float64")
    spec = KFAC(damping=1e-5)
    method = spec.build(Solo())
    state = method.init(theta)
    for _ in range(3):
        theta, state, *_ = method.step(host, theta, state)
    at, previous = host.linearize(theta), state["change"]
    direction = method._direction(at, at.kronecker(), 1e-5)
    change, alpha, mu = method._combined(at, direction, previous, 1e-5)

    def model(step):
        return np.sum((at.own + at.jvp(step)) ** 2) + 1e-5 * step @ step

    best = model(change)
    for a, m in ((1.01, 1), (0.99, 1), (1, 1.01), (1, 0.99)):
        assert model(a * alpha * direction + m * mu * previous) > best
