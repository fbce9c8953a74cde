"""Quasi-Newton methods as mathematics: secant equations, formulas, superlinear rates."""

from functools import partial

import numpy as np
import pytest

from pdehvd.comm.group import Solo
from pdehvd.numerics.vectors import Replicated
from pdehvd.objectives.protocols import Point
from pdehvd.optimizers.base import StalledError
from pdehvd.optimizers.broyden import ssbroyden
from pdehvd.optimizers.quasi_newton import BFGS, SSBFGS, DenseSpec, QuasiNewtonSpec, SSBroyden
from pdehvd.spec import registered

METHODS = {n: s for n, s in registered("optimizer").items() if issubclass(s, QuasiNewtonSpec)}
DENSE = {n: s for n, s in METHODS.items() if issubclass(s, DenseSpec)}
SIZE = 20


class Convex:
    """f = theta^T A theta / 2 + sum_i log (2 cosh theta_i) - b . theta, strictly convex."""

    vectors = Replicated()

    def __init__(self, condition=1e3, size=SIZE):
        random = np.random.default_rng(4)
        basis, _ = np.linalg.qr(random.standard_normal((size, size)))
        self.matrix = (basis * np.geomspace(1 / condition, 1, size)) @ basis.T
        self.shift = random.standard_normal(size)
        self.evaluations = 0

    def evaluate(self, theta):
        self.evaluations += 1
        image = self.matrix @ theta
        loss = float(theta @ image / 2 + np.sum(np.logaddexp(theta, -theta)) - self.shift @ theta)
        return Point(loss, np.array([loss]), image + np.tanh(theta) - self.shift)

    def hessian(self, theta):
        return self.matrix + np.diag(1 - np.tanh(theta) ** 2)


def trajectory(spec, objective, theta, steps):
    """Yield (theta, gradient, length, product with H after the step) until it stalls."""
    method = spec.build(Solo())
    state, gradient = method.init(theta), objective.evaluate(theta).gradient
    yield theta, gradient, 0.0, np.copy
    for _ in range(steps):
        try:
            theta, state, point, facts = method.step(objective, theta, state)
        except StalledError:
            return
        yield theta, point.gradient, facts["step_length"], partial(_product, method, state)


def _product(method, state, vector):
    if "inverse" in state:
        return state["inverse"] @ vector
    return method.product(state, vector, Replicated())


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("condition", [10.0, 1e6])
def test_secant_equation_after_every_update(name, condition):
    steps = trajectory(METHODS[name](), Convex(condition), np.zeros(SIZE), 400)
    theta, gradient, *_ = next(steps)
    for new_theta, new_gradient, _, product in steps:
        s, y = new_theta - theta, new_gradient - gradient
        theta, gradient = new_theta, new_gradient
        assert np.linalg.norm(product(y) - s) < 1e-8 * np.linalg.norm(s)
        if np.linalg.norm(gradient) < 1e-7:
            break
    else:
        raise AssertionError("the gradient is still large")


@pytest.mark.parametrize("name", DENSE)
def test_the_carried_product_is_that_of_the_matrix(name):
    method, objective = DENSE[name]().build(Solo()), Convex(1e6)
    theta = np.zeros(SIZE)
    state = method.init(theta)
    for _ in range(20):
        theta, state, point, _ = method.step(objective, theta, state)
        error = state["product"] - state["inverse"] @ point.gradient
        assert np.linalg.norm(error) < 1e-9 * np.linalg.norm(state["product"])


@pytest.mark.parametrize("name", METHODS)
def test_convergence_is_superlinear(name):
    objective = Convex(10.0)
    steps = trajectory(METHODS[name](), objective, np.zeros(SIZE), 60)
    norms = [norm for norm in (np.linalg.norm(g) for _, g, *_ in steps) if norm > 1e-11]
    ratios = np.array(norms[1:]) / np.array(norms[:-1])
    # The mean rate of each third is well below that of the one before.
    thirds = [np.exp(np.mean(np.log(part))) for part in np.array_split(ratios, 3)]
    assert thirds[2] < 0.7 * thirds[0]
    assert norms[-1] < 1e-10


def transcribed(kind, H, s, y, g, length):
    """Return H after an update: Urban, Stefanou, Pons, arXiv 2405.04230, written down directly."""
    rho = 1 / (s @ y)
    image = H @ y
    energy = y @ image
    b, h = -length * rho * (s @ g), rho * energy
    tau, phi = 1.0, 1.0
    if kind == "ssbfgs":
        tau = min(1, 1 / b)
    if kind == "ssbroyden":
        a = b * h - 1
        low = min(1, h * (1 - np.sqrt(abs(a) / (1 + a))))
        theta = max((low - 1) / a, min(1 / low, (1 - b) / b))
        sigma = 1 + theta * a
        phi = (1 - theta) / sigma
        power = sigma ** (1 / (1 - len(s)))
        if theta > 0:
            tau = min(1, 1 / b) * min(power, 1 / theta)
        else:
            tau = min(min(1, 1 / b) * power, sigma)
    v = rho * s - image / energy
    inner = H - np.outer(image, image) / energy + phi * energy * np.outer(v, v)
    return inner / tau + rho * np.outer(s, s)


@pytest.mark.parametrize("spec", [BFGS, SSBFGS, SSBroyden])
def test_updates_are_those_of_the_paper(spec):
    kind = spec.model_fields["name"].default
    steps = trajectory(spec(), Convex(1e3), np.zeros(SIZE), 18)
    theta, gradient, *_ = next(steps)
    H = None
    for new_theta, new_gradient, length, product in steps:
        s, y = new_theta - theta, new_gradient - gradient
        first = H is None
        start = np.eye(SIZE) * (s @ y) / (y @ y) if first else H
        H = transcribed("bfgs" if first else kind, start, s, y, gradient, length)
        theta, gradient = new_theta, new_gradient
        found = np.stack([product(unit) for unit in np.eye(SIZE)], 1)
        np.testing.assert_allclose(found, H, rtol=0, atol=1e-8 * np.abs(H).max())
        assert np.linalg.eigvalsh((found + found.T) / 2)[0] > 0


def test_self_scaling_learns_the_hessian():
    errors = {}
    for spec in (BFGS, SSBroyden):
        objective = Convex(10.0)
        *_, (theta, _, _, product) = trajectory(spec(), objective, np.zeros(SIZE), 30)
        whole = np.stack([product(unit) for unit in np.eye(SIZE)], 1)
        errors[spec] = np.linalg.norm(whole @ objective.hessian(theta) - np.eye(SIZE), 2)
    assert max(errors.values()) < 1.0


@pytest.mark.parametrize("b", [1e-12, 1e-3, 0.5, 1.0, 1.0 + 1e-15, 2.0, 1e6])
@pytest.mark.parametrize("excess", [-1e-14, 0.0, 1e-15, 1e-6, 1.0, 1e12, 1e18])
@pytest.mark.parametrize("size", [1, 2, 5000])
def test_scaling_is_finite_and_keeps_the_matrix_positive(b, excess, size):
    h = (1 + excess) / b
    tau, phi = ssbroyden(b, h, size)
    assert 0 < tau <= 1.0 + 1e-12 and np.isfinite(phi)
    # Positive definite: 1 + (h b - 1) (phi - 1) / (h b) > 0 on the plane of s and H y.
    assert phi * max(excess, 0.0) > -1.0
