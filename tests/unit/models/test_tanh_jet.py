"""The hand-written backward pass against plain operations, to second order, in every mode."""

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.models.activations import tanh
from pdehvd.models.tanh_jet import tanh_jet
from pdehvd.numerics import jets

PLANS = {
    "value": jets.plan(2, []),
    "first": jets.plan(2, [(1, 0)]),
    "second": jets.plan(2, [(1, 1), (2, 0)]),
    "operator": jets.plan(2, [(0, 1)], [[((2, 0), 1.0), ((1, 1), -0.5), ((0, 1), 2.0)]]),
    "both": jets.plan(3, [(1, 1, 0)], [[((2, 0, 0), 1.0), ((0, 0, 2), 2.0)], [((0, 1, 0), 1.0)]]),
}


def entries(plan, kind):
    """Return a jet [2, 3] with varying, constant or absent channels beside the value."""
    random = np.random.default_rng(plan.channels)
    jet = [tf.constant(random.normal(size=(2, 3)))]
    for index in plan.partials[1:]:
        constant = kind == "constant" and sum(index) == 1
        jet.append(tf.constant(random.normal(size=(2, 1 if constant else 3))))
        if kind == "constant" and sum(index) == 2:
            jet[-1] = None
    for _ in plan.operators:
        jet.append(None if kind == "constant" else tf.constant(random.normal(size=(2, 3))))
    if kind == "sparse" and len(plan.partials) > 1:
        jet[1] = None
    return jet


def plain(plan, jet):
    return jets.elementwise(plan, jet, tanh)


def functions(rule, plan, jet):
    """Return value, gradient and curvature products of a scalar of the jet, as functions."""
    present = [entry for entry in jet if entry is not None]
    random = np.random.default_rng(9)
    directions = [tf.constant(random.normal(size=entry.shape)) for entry in present]

    def scalar(z):
        given = iter(z)
        full = [None if entry is None else next(given) for entry in jet]
        out = [entry for entry in rule(plan, full) if entry is not None]
        return tf.add_n([tf.reduce_sum(tf.sin((k + 1) * e) * e) for k, e in enumerate(out)])

    def gradient(z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = scalar(z)
        return tape.gradient(value, z)

    def reverse_over_reverse(z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            along = tf.add_n(
                [tf.reduce_sum(g * d) for g, d in zip(gradient(z), directions, strict=True)]
            )
        return tape.gradient(along, z)

    def forward_over_reverse(z):
        with tf.autodiff.ForwardAccumulator(z, directions) as accumulator:
            out = gradient(z)
        return accumulator.jvp(out)

    def forward(z):
        with tf.autodiff.ForwardAccumulator(z, directions) as accumulator:
            out = scalar(z)
        return [accumulator.jvp(out)]

    return present, [gradient, forward, reverse_over_reverse, forward_over_reverse]


def close(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12 * (1 + np.abs(other).max()))


@pytest.mark.parametrize("kind", ["varying", "constant", "sparse"])
@pytest.mark.parametrize("name", PLANS)
def test_values_and_derivatives(name, kind):
    plan = PLANS[name]
    jet = entries(plan, kind)
    found, wanted = tanh_jet(plan, jet), plain(plan, jet)
    assert [entry is None for entry in found] == [entry is None for entry in wanted]
    close([e for e in found if e is not None], [e for e in wanted if e is not None])
    present, ours = functions(tanh_jet, plan, jet)
    for mine, theirs in zip(ours, functions(plain, plan, jet)[1], strict=True):
        close(mine(present), theirs(present))


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
def test_derivatives_inside_a_traced_function(compiled):
    plan = PLANS["operator"]
    jet = entries(plan, "varying")
    present, ours = functions(tanh_jet, plan, jet)
    wanted = [function(present) for function in functions(plain, plan, jet)[1]]

    @tf.function(jit_compile=compiled)
    def run(z):
        return [function(z) for function in ours]

    for mine, theirs in zip(run(present), wanted, strict=True):
        close(mine, theirs)


def test_a_jacobian_through_the_backward_pass():
    plan = PLANS["operator"]
    jet = entries(plan, "varying")

    def jacobian(rule):
        with tf.GradientTape() as tape:
            tape.watch(jet)
            out = rule(plan, jet)[-1]
        return tape.jacobian(out, jet, unconnected_gradients="zero")

    close(jacobian(tanh_jet), jacobian(plain))
