"""Derivatives of orders 1 to 4 against closed forms, for Taylor mode and nested tapes."""

import itertools

import mpmath
import numpy as np
import pytest
import sympy
import tensorflow as tf

from pdehvd.models.activations import ACTIVATIONS
from pdehvd.models.embeddings import Embedding
from pdehvd.models.mlp_network import MLPNetwork, MLPOptions
from pdehvd.numerics import jets

Z = sympy.Symbol("z")
FORMULAS = {
    "tanh": sympy.tanh(Z),
    "sin": sympy.sin(Z),
    "sigmoid": 1 / (1 + sympy.exp(-Z)),
    "softplus": sympy.log(1 + sympy.exp(Z)),
    "swish": Z / (1 + sympy.exp(-Z)),
    "gelu": Z * (1 + sympy.erf(Z / sympy.sqrt(2))) / 2,
}


def numbers(expression, symbols, columns):
    """Evaluate with 30 digits, so that the closed form itself carries no rounding."""
    function = sympy.lambdify(symbols, expression, "mpmath", cse=True)
    with mpmath.workdps(30):
        return np.array([float(function(*map(mpmath.mpf, p))) for p in zip(*columns, strict=True)])


def all_indices(dimension, order=4):
    every = itertools.product(range(order + 1), repeat=dimension)
    return [index for index in every if sum(index) <= order]


@pytest.mark.parametrize("name", FORMULAS)
def test_activations_and_their_derivatives(name):
    z = np.array([-6.0, -2.5, -1.0, -0.3, 0.0, 1e-3, 0.7, 1.9, 5.0])
    found = ACTIVATIONS[name](tf.constant(z), 4)
    assert len(found) == 5
    for order in range(5):
        exact = numbers(sympy.diff(FORMULAS[name], Z, order), [Z], [z])
        np.testing.assert_allclose(found[order], exact, rtol=1e-11, atol=1e-13, err_msg=str(order))
        assert len(ACTIVATIONS[name](tf.constant(z), order)) == order + 1


@pytest.mark.parametrize("dimension", [1, 2, 3, 4])
def test_one_layer_is_a_plane_wave(dimension):
    """sin(k.x + b): every derivative is prod k_d^m_d times sin shifted by |m| quarters."""
    random = np.random.default_rng(dimension)
    wave, bias = random.normal(size=dimension), 0.4
    network = MLPNetwork(
        Embedding.build(np.array([[-1.0, 1.0]] * dimension), "xyzt"[:dimension]),
        [1],
        1,
        "float64",
        MLPOptions("sin"),
    )
    parameters = [tf.constant(v, tf.float64) for v in (wave[:, None], [bias], [[2.0]], [0.5])]
    plan = jets.plan(dimension, all_indices(dimension), [[((2,) + (0,) * (dimension - 1), 3.0)]])
    x = random.uniform(-1, 1, (5, dimension))
    angle = x @ wave + bias
    for index, value in zip(
        plan.partials, network.jet(parameters, tf.constant(x), plan), strict=False
    ):
        order = sum(index)
        exact = 2 * np.prod(wave ** np.array(index)) * np.sin(angle + order * np.pi / 2)
        np.testing.assert_allclose(value[:, 0], exact + 0.5 * (order == 0), atol=1e-13)


@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_two_layers_against_symbolic_differentiation(activation):
    x, t = sympy.symbols("x t")
    first, second = [[0.7, -0.4], [0.3, 0.9]], [[0.8], [-1.1]]
    biases = [[0.1, -0.2], [0.3]]
    sigma = FORMULAS[activation]
    inner = [sigma.subs(Z, first[0][k] * x + first[1][k] * t + biases[0][k]) for k in range(2)]
    outer = sigma.subs(Z, second[0][0] * inner[0] + second[1][0] * inner[1] + biases[1][0])

    network = MLPNetwork(
        Embedding.build(np.array([[-1.0, 1.0]] * 2), "xt", scaled=False),
        [2, 1],
        1,
        "float64",
        MLPOptions(activation),
    )
    values = (first, biases[0], second, biases[1], [[1.0]], [0.0])
    parameters = [tf.constant(value, tf.float64) for value in values]
    points = np.array([[0.3, -0.8], [-0.5, 0.6]])
    laplacian = [((2, 0), 1.0), ((0, 2), 1.0), ((1, 1), -0.5), ((0, 1), 2.0)]
    plan = jets.plan(2, [(4, 0), (2, 1), (1, 3)], [laplacian])
    taylor = network.jet(parameters, tf.constant(points), plan)
    nested = jets.nested(lambda q: network.apply(parameters, q), tf.constant(points), plan)
    closed = [sympy.diff(outer, x, m, t, n) if m + n else outer for m, n in plan.partials]
    closed.append(sum(c * sympy.diff(outer, x, m, t, n) for (m, n), c in laplacian))
    for one, other, expression in zip(taylor, nested, closed, strict=True):
        exact = numbers(expression, [x, t], points.T)
        np.testing.assert_allclose(one[:, 0], exact, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(other[:, 0], exact, rtol=1e-11, atol=1e-13)
