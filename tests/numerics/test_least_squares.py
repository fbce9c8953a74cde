"""Rows and Jacobians of the sum of squares against tape Jacobians, for every kind of network."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from pdehvd.assembly.build import build_objective, build_problem
from pdehvd.comm.aggregation import GlobalMean
from pdehvd.comm.group import Solo
from pdehvd.config.root import load_config
from pdehvd.models.keras_model import KerasNetwork
from pdehvd.objectives import slabs
from pdehvd.objectives.host import HostCalls, HostObjective
from pdehvd.objectives.local_sums import LocalPointSums
from pdehvd.objectives.objective import PDEObjective

PROBLEM = Path(__file__).parents[1] / "parallel" / "problem.yaml"
MODELS = {
    "mlp": [],
    "swish": ["model.activation=swish"],
    "residual": ["model.residual=true", "model.depth=3"],
    "apart": ["model.shared=false"],
    "periodic": ["model.periodic={x: true}"],
    "adaptive": ["model.adaptive=2.0"],
    "hard": ["problem.hard={u: (1 - x^2)*network - sin(pi*x)*exp(-kappa*t)}"],
    "keras": [],
}
SMALL = ["sampling.equations=23", "sampling.conditions={wall: 3, sides: 4, initial: 5}"]


def keras_network():
    layers = [
        keras.Input((2,), dtype="float64"),
        keras.layers.Dense(7, "tanh", dtype="float64"),
        keras.layers.Dense(2, dtype="float64"),
    ]
    return KerasNetwork(lambda: keras.Sequential(layers), "float64", 2)


@pytest.fixture(scope="module", autouse=True)
def eager():
    """Run operation by operation: compiling every case takes longer than all the rest."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module", params=MODELS)
def case(request):
    """An objective, its batch and weights, and a theta that is not special."""
    config, _ = load_config(PROBLEM, [*SMALL, *MODELS[request.param]])
    problem = build_problem(config, 1)
    if request.param == "keras":
        reducer = LocalPointSums(GlobalMean(), Solo())
        objective = PDEObjective(problem, keras_network(), reducer, "float64")
    else:
        objective = build_objective(config, problem, Solo())
    random = np.random.default_rng(1)
    theta = objective.initial(5) + 0.05 * random.standard_normal(objective.size)
    weights = tf.constant(random.uniform(0.5, 2, len(objective.terms)))
    return objective, objective.batch(0), weights, theta


@pytest.fixture(scope="module")
def expected(case):
    """Rows [N] and Jacobian [N, P], one residual after the other, by a tape."""
    objective, batch, weights, theta = case
    scales = np.sqrt(weights.numpy() / objective.counts)

    @tf.function(autograph=False)
    def jacobian(variable):
        with tf.GradientTape() as tape:
            tape.watch(variable)
            values = objective.residuals(variable, batch)
            columns = [
                scale * value[:, j]
                for scale, value in zip(scales, values, strict=True)
                for j in range(value.shape[1])
            ]
            rows = tf.concat(columns, 0)
        return rows, tape.jacobian(rows, variable, experimental_use_pfor=False)

    tf.config.run_functions_eagerly(False)
    values = [value.numpy() for value in jacobian(tf.constant(theta))]
    tf.config.run_functions_eagerly(True)
    return values


@pytest.fixture(scope="module")
def host(case):
    objective, batch, weights, _ = case
    return HostObjective(HostCalls(objective), batch, weights)


@pytest.fixture(scope="module")
def at(case, host):
    return host.linearize(case[3])


def close(a, b):
    assert np.linalg.norm(a - b) <= 1e-12 * np.linalg.norm(b)


def test_rows_and_products(at, case, expected):
    rows, jacobian = expected
    random = np.random.default_rng(2)
    v, w = random.standard_normal(jacobian.shape[1]), random.standard_normal(jacobian.shape[0])
    close(at.own, rows)
    close(at.jvp(v), jacobian @ v)
    close(at.vjp(w), jacobian.T @ w)
    vectors = np.stack([v, w @ jacobian])
    for found, vector in zip(at.gram(vectors), vectors, strict=True):
        close(found, jacobian.T @ (jacobian @ vector))
    close(at.gradient, jacobian.T @ rows)


def test_squares_of_the_jacobian(at, expected):
    _, jacobian = expected
    close(np.triu(at.normal().own[0]), np.triu(jacobian.T @ jacobian))
    close(np.triu(at.kernel().own[0]), np.triu(jacobian @ jacobian.T))


def test_pieces_of_the_jacobian_add_up(at, expected, monkeypatch):
    _, jacobian = expected
    monkeypatch.setattr(slabs, "_BYTES_AT_ONCE", 2**13)
    close(np.triu(at.normal().own[0]), np.triu(jacobian.T @ jacobian))
    close(np.triu(at.kernel().own[0]), np.triu(jacobian @ jacobian.T))


def test_loss_and_gradient_are_those_of_the_objective(at, case, host):
    theta = case[3]
    point = host.evaluate(theta)
    assert float(at.own @ at.own) == pytest.approx(point.loss, rel=1e-13)
    close(2 * at.gradient, point.gradient)
    losses = host.losses_at(np.stack([theta, theta + 0.01]))
    assert losses[0] == pytest.approx(point.loss, rel=1e-13)
    assert losses[1] == pytest.approx(host.evaluate(theta + 0.01).loss, rel=1e-13)
