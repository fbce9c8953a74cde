"""Minimal energies: scikit-fem's own, closed forms, and the network's stencils agree."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import skfem
import sympy
import tensorflow as tf

from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import compile_numpy, compile_tf, parse, symbol
from pdehvd.numerics.stencils import integrate
from pdehvd.reference.finite_elements import FiniteElements, solve_energy

DIFFUSION = {
    "x": "nu*u_x**2/2 - f*u",
    "xy": "nu*(u_x**2 + u_y**2)/2 - f*u",
    "xyz": "nu*(u_x**2 + u_y**2 + u_z**2)/2 - f*u",
}
BOX = np.array([[0.0, 1.0], [-1.0, 1.0], [0.0, 0.7]])


def density(text: str, coordinates: str) -> sympy.Expr:
    """Read an energy of u, nu and f."""
    names = ["u", "nu", "f", *coordinates, *(f"{f}_{c}" for f in ("u", "nu") for c in coordinates)]
    return parse(text, {name: symbol(name) for name in [*names, "u_xx"]})


def places(shape: tuple[int, ...]) -> list[np.ndarray]:
    """Return the nodes' coordinates, each [*n]."""
    bounds = BOX[: len(shape)]
    axes = [np.linspace(low, high, n) for (low, high), n in zip(bounds, shape, strict=True)]
    return np.meshgrid(*axes, indexing="ij")


def build(text: str, coordinates: str, shape: tuple[int, ...]) -> FiniteElements:
    expression = density(text, coordinates)
    return FiniteElements(expression, "u", coordinates, BOX[: len(coordinates)], shape)


def case(shape: tuple[int, ...]) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return inputs, boundary values and free nodes: fixed at both ends of x, and at a patch."""
    random = np.random.default_rng(len(shape))
    nodes = places(shape)
    inputs = {"nu": np.exp(random.standard_normal(shape)), "f": random.standard_normal(shape)}
    free = np.ones(shape, bool)
    free[[0, -1]] = False
    free.reshape(shape[0], -1)[3, :2] = False
    return inputs, np.where(free, 0.0, 1.0 + sum(nodes)), free


def by_scikit_fem(
    shape: tuple[int, ...], inputs: dict[str, np.ndarray], boundary: np.ndarray, free: np.ndarray
) -> np.ndarray:
    """Solve -div(nu grad u) = f with forms, mesh and solver of scikit-fem alone."""
    kinds = [
        (skfem.MeshLine, skfem.ElementLineP1),
        (skfem.MeshQuad, skfem.ElementQuad1),
        (skfem.MeshHex, skfem.ElementHex1),
    ]
    mesh_type, element = kinds[len(shape) - 1]
    nodes = places(shape)
    mesh = mesh_type.init_tensor(*(np.unique(axis) for axis in nodes))
    basis = skfem.Basis(mesh, element(), intorder=3)
    width = np.array([(high - low) / (n - 1) for (low, high), n in zip(BOX, shape, strict=False)])
    steps = np.rint((mesh.p.T - BOX[: len(shape), 0]) / width).astype(int)
    order = np.ravel_multi_index(tuple(steps.T), shape)
    nu, f = (basis.interpolate(inputs[name].ravel()[order]) for name in ("nu", "f"))
    stiffness = skfem.BilinearForm(lambda u, v, w: w.nu * np.sum(u.grad * v.grad, axis=0))
    load = skfem.LinearForm(lambda v, w: w.f * v)
    fixed = np.flatnonzero(~free.ravel()[order])
    solution = skfem.solve(
        *skfem.condense(
            stiffness.assemble(basis, nu=nu),
            load.assemble(basis, f=f),
            x=boundary.ravel()[order],
            D=fixed,
        )
    )
    result = np.empty(len(order))
    result[order] = solution
    return result.reshape(shape)


@pytest.mark.parametrize("shape", [(40,), (9, 12), (5, 4, 6)])
def test_same_as_scikit_fem(shape: tuple[int, ...]) -> None:
    coordinates = "xyz"[: len(shape)]
    inputs, boundary, free = case(shape)
    u = build(DIFFUSION[coordinates], coordinates, shape).solve(inputs, boundary, free)
    np.testing.assert_allclose(u, by_scikit_fem(shape, inputs, boundary, free), atol=1e-11)
    assert np.array_equal(u[~free], boundary[~free])


Energy = Callable[[tf.Tensor], tf.Tensor]


def by_stencils(text: str, coordinates: str, inputs: dict[str, np.ndarray]) -> Energy:
    """Return the energy that a network would be trained with, as a function of u [B, *n]."""
    expression = density(text, coordinates)
    compiled = compile_tf([expression], sorted(s.name for s in expression.free_symbols))
    fields = {name: tf.constant(values[None], tf.float64) for name, values in inputs.items()}
    bounds = BOX[: len(coordinates)]
    return lambda u: integrate(lambda v: compiled(v)[0], {"u": u, **fields}, coordinates, bounds)


def gradient(energy: Energy, u: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Return the energy's gradient [B, free nodes] at u [B, *n]."""
    values = tf.constant(u)
    with tf.GradientTape() as tape:
        tape.watch(values)
        total = energy(values)
    return tape.gradient(total, values).numpy()[:, free]


def minimiser(energy: Energy, boundary: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Minimise a quadratic energy over the free nodes; its gradient is affine in them."""
    count = np.count_nonzero(free)
    moved = np.repeat(boundary[None], count + 1, axis=0)
    moved[1:, free] += np.eye(count)
    start, *others = gradient(energy, moved, free)
    u = boundary.copy()
    u[free] -= np.linalg.solve(np.array(others) - start, start)
    return u


@pytest.mark.parametrize("shape", [(12, 12), (6, 6, 6)])
def test_stencils_have_the_same_minimum(shape: tuple[int, ...]) -> None:
    coordinates = "xyz"[: len(shape)]
    text = DIFFUSION[coordinates] + " + u**2*(1 + x*y) + u_x*u_y/9 + nu_y*u"
    inputs, boundary, free = case(shape)
    elements = build(text, coordinates, shape)
    u = elements.solve(inputs, boundary, free)
    energy = by_stencils(text, coordinates, inputs)
    again = minimiser(energy, boundary, free)
    assert np.abs(again - u).max() < 1e-10 * np.abs(u).max()
    assert energy(tf.constant(u[None])).numpy()[0] == pytest.approx(
        elements.energy(u, inputs), rel=1e-13
    )


@pytest.mark.parametrize(
    "text",
    [
        "nu*(u_x**2 + u_y**2 + 0.1)**0.75 + exp(u) + u**4/4 - f*u*x",
        "sqrt(u_x**2 + u_y**2 + 0.0001) + (u - f)**2",  # full steps raise the energy
    ],
)
def test_nonlinear_energies_by_newton(text: str) -> None:
    inputs, boundary, free = case((12, 12))
    u = build(text, "xy", (12, 12)).solve(inputs, boundary, free)
    energy = by_stencils(text, "xy", inputs)
    here, before = np.abs(gradient(energy, np.stack([u, boundary]), free)).max(axis=1)
    assert here < 1e-10 * before


def test_newton_from_where_the_energy_is_flat() -> None:
    """|grad u|^4 has no curvature at u = 0; between two fixed ends its minimum is a line."""
    elements = build("(u_x**2 + u_y**2)**2", "xy", (9, 8))
    x = places((9, 8))[0]
    free = (x > 0) & (x < 1)
    np.testing.assert_allclose(elements.solve({}, np.where(x == 1, 2.0, 0.0), free), 2 * x)


def manufactured() -> dict[str, sympy.Expr]:
    """Return u with u_y = 0 at both ends of y, a coefficient, and the source that makes u solve."""
    x, y = symbol("x"), symbol("y")
    u = sympy.sin(3 * x) * sympy.cos(sympy.pi * y) + x**3
    nu = sympy.exp(sympy.sin(2 * x + y))
    f = -sum(sympy.diff(nu * sympy.diff(u, c), c) for c in (x, y))
    return {"u": u, "u_x": sympy.diff(u, x), "u_y": sympy.diff(u, y), "nu": nu, "f": f}


def errors(elements: FiniteElements, u: np.ndarray, exact: Callable) -> list[float]:
    """Return the L2 norms of the errors of u and of its gradient, at the Gauss points."""
    cells = elements.cells
    values = exact({"x": cells.coordinate(0), "y": cells.coordinate(1)})
    squares = [cells.total((cells.part(u, part) - values[part]) ** 2) for part in range(3)]
    return [float(np.sqrt(squares[0])), float(np.sqrt(squares[1] + squares[2]))]


def test_order_of_convergence() -> None:
    """Second order in L2 and first in H1, for scikit-fem's elements and for the stencils."""
    forms = manufactured()
    exact = compile_numpy(list(forms.values()), ("x", "y"))
    counts, found = (6, 12, 24), []
    for count in counts:
        shape = (count + 1, count + 1)
        nodes = dict(zip("xy", places(shape), strict=True))
        u, _, _, nu, f = exact(nodes)
        inputs, free = {"nu": nu, "f": f}, (nodes["x"] > 0) & (nodes["x"] < 1)
        elements = build(DIFFUSION["xy"], "xy", shape)
        boundary = np.where(free, 0.0, u)
        mine = minimiser(by_stencils(DIFFUSION["xy"], "xy", inputs), boundary, free)
        solution = elements.solve(inputs, boundary, free)
        found.append([*errors(elements, solution, exact), *errors(elements, mine, exact)])
    rates = -np.polyfit(np.log(counts), np.log(found), 1)[0]
    np.testing.assert_allclose(rates, [2, 1, 2, 1], atol=0.06)
    assert found[-1][0] < 1e-2


def test_norms() -> None:
    x, y = places((6, 5))
    value, slope = build(DIFFUSION["xy"], "xy", (6, 5)).norms(x * y)
    assert value == pytest.approx(np.sqrt(2 / 9), rel=1e-13)
    assert slope == pytest.approx(np.sqrt(2 / 3 + 2 / 3), rel=1e-13)


def test_inputs_of_one_node_and_another_mask() -> None:
    elements = build(DIFFUSION["xy"], "xy", (6, 5))
    inputs, boundary, free = case((6, 5))
    short, long = inputs["f"][:, :1], np.repeat(inputs["f"][:, :1], 5, axis=1)
    first = elements.solve({**inputs, "f": short}, boundary, free)
    assert np.array_equal(first, elements.solve({**inputs, "f": long}, boundary, free))
    fewer = free & (places((6, 5))[1] < 1)
    second = elements.solve({**inputs, "f": short}, boundary, fewer)
    once = solve_energy(
        density(DIFFUSION["xy"], "xy"), "u", "xy", BOX[:2], {**inputs, "f": short}, boundary, fewer
    )
    assert np.array_equal(second, once)
    assert not np.allclose(first, second)
    assert np.array_equal(elements.solve(inputs, boundary, False & free), boundary)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u_xx**2 + u_x**2", "contains 'u_xx'"),
        ("f*u + u_x", "does not determine"),
        ("u_x**2 + u_y**2 - f*u", "does not determine"),
        ("u_x**2 + u_y**2 + u**2 - nu_x*u", "'nu_x', which has no values"),
        ("u_x**2 - u_y**4 - u**4", "Newton's method"),
    ],
)
def test_energies_without_a_solution(text: str, message: str) -> None:
    f, free = np.ones((5, 5)), np.ones((5, 5), bool)
    with pytest.raises(ConfigError, match=message):
        build(text, "xy", (5, 5)).solve({"f": f}, f, free)
