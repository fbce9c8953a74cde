"""In chunks an objective and its Jacobian are what they are as a whole, up to rounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.assembly.build import build_parts
from pdehvd.comm.group import Solo
from pdehvd.config.root import load_config
from pdehvd.objectives.host import HostCalls, HostObjective

PROBLEM = Path(__file__).parents[2] / "parallel" / "problem.yaml"
SETTINGS = ["model.depth=1", "model.width=5", "sampling.equations=23"]


@pytest.fixture(scope="module")
def both():
    """The objective as a whole and in chunks of 5, at one theta; nothing is compiled."""
    patch = pytest.MonkeyPatch()
    whole = tf.function

    def plain(*arguments, jit_compile=False, **options):
        return whole(*arguments, **options)

    patch.setattr(tf, "function", plain)
    found = []
    for hook in ("global_mean", "{name: exact, chunk: 5}"):
        config, _ = load_config(PROBLEM, [*SETTINGS, f"aggregation={hook}"])
        objective = build_parts(config, Solo()).objective
        weights = tf.constant(np.linspace(1, 2, len(objective.terms)))
        host = HostObjective(HostCalls(objective), objective.batch(0), weights)
        found.append((objective, host, objective.initial(3)))
    yield found
    patch.undo()


def assert_equal(one, other):
    np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12 * np.abs(other).max())


def test_loss_and_gradient(both):
    (_, plain, theta), (_, chunked, _) = both
    one, other = plain.evaluate(theta), chunked.evaluate(theta)
    assert_equal(one.losses, other.losses)
    assert_equal(one.gradient, other.gradient)
    thetas = np.stack([theta, 1.1 * theta])
    assert_equal(plain.losses_at(thetas), chunked.losses_at(thetas))


def test_what_is_no_number_spoils_its_own_theta_alone(both):
    _, (_, chunked, theta) = both
    losses = chunked.losses_at(np.stack([theta, np.full_like(theta, np.nan)]))
    assert np.isfinite(losses[0]) and np.isnan(losses[1])
    assert np.isnan(chunked.evaluate(np.full_like(theta, np.nan)).loss)


def test_products_with_the_jacobian(both):
    (_, plain, theta), (_, chunked, _) = both
    one, other = plain.linearize(theta), chunked.linearize(theta)
    assert_equal(one.gradient, other.gradient)
    assert_equal(np.triu(one.normal().own[0]), np.triu(other.normal().own[0]))
    direction = np.linspace(-1, 1, len(theta))
    images = one.jvp(direction), other.jvp(direction)
    assert_equal(one.vjp(images[0]), other.vjp(images[1]))
    directions = np.stack([direction, direction**2])
    assert_equal(one.gram(directions), other.gram(directions))
    assert_equal(one.products([one.own, images[0]]), other.products([other.own, images[1]]))


def test_the_kernel_has_rows_of_zeros_besides(both):
    (_, plain, theta), (_, chunked, _) = both
    one, other = plain.linearize(theta), chunked.linearize(theta)
    upper = [np.triu(at.kernel().own[0]) for at in (one, other)]
    kernels = [half + np.triu(half, 1).T for half in upper]
    real = np.diag(kernels[1]) > 0
    assert real.sum() == one.rows < other.rows
    sizes = [np.sort(np.linalg.eigvalsh(k))[::-1] for k in (kernels[0], kernels[1][real][:, real])]
    np.testing.assert_allclose(sizes[0], sizes[1], rtol=1e-8, atol=1e-10 * sizes[0][0])


def test_factors_of_kfac(both):
    (_, plain, theta), (_, chunked, _) = both
    one, other = plain.linearize(theta).kronecker(), chunked.linearize(theta).kronecker()
    for pairs, others in zip(one, other, strict=True):
        for pair, another in zip(pairs, others, strict=True):
            for factor, same in zip(pair, another, strict=True):
                assert_equal(factor, same)


def test_gradients_of_terms_and_traces_of_kernels(both):
    (plain, _, theta), (chunked, _, _) = both
    theta = tf.constant(theta)
    gradients, traces = [], []
    for objective in (plain, chunked):
        batch = objective.batch(0)
        gradients.append(objective.term_gradients(theta, batch))
        signs = [
            tf.gather(tf.cos(tf.range(n, dtype=tf.float64)), objective.pieces(int(n))[0])
            for n in objective.counts
        ]
        traces.append(objective.kernel_traces(theta, batch, signs))
    assert_equal(gradients[0], gradients[1])
    assert_equal(traces[0], traces[1])
