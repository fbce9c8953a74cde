"""Integrals over finite elements and finite differences, against closed forms."""

import numpy as np
import pytest
import tensorflow as tf

from pdehvd.numerics.stencils import (
    difference,
    flux_divergence,
    galerkin,
    integrate,
    spacings,
)

PLANE = np.array([[0.0, 2.0], [1.0, 3.0]])


def mesh(bounds, shape):
    axes = [np.linspace(low, high, n) for (low, high), n in zip(bounds, shape, strict=True)]
    return np.meshgrid(*axes, indexing="ij")


def batch(*samples, dtype=tf.float64):
    return tf.constant(np.stack(samples), dtype)


def test_bilinear_fields_are_integrated_exactly_in_the_plane():
    x, y = mesh(PLANE, (4, 3))
    fields = {"u": batch(x * y, 1 + x), "k": batch(y, 2 + 0 * y)}
    result = integrate(
        lambda v: v["k"] * (v["u_x"] ** 2 + v["u_y"]) + v["x"] * v["u"] * v["k_y"],
        fields,
        ("x", "y"),
        PLANE,
    )
    # int y (y^2 + x) + x (x y), and int 2 (1 + 0) + 0
    np.testing.assert_allclose(result, [2 * 20 + 2 * 4 + 8 / 3 * 4, 8], rtol=1e-13)


@pytest.mark.parametrize(("bounds", "names"), [([[0, 3]], "x"), ([[0, 3], [1, 2], [0, 5]], "xyz")])
def test_other_dimensions(bounds, names):
    places = mesh(bounds, range(3, 3 + len(bounds)))
    total = integrate(
        lambda v: v["u"] ** 2 + sum(v[f"u_{name}"] for name in names) * v["x"],
        {"u": batch(np.prod(places, axis=0))},
        tuple(names),
        np.array(bounds, float),
    )
    # int x^2 + x; and int (x y z)^2 + (y z + x z + x y) x
    exact = 9 + 4.5 if names == "x" else 9 * 7 / 3 * 125 / 3 + 4.5 * 1.5 * 12.5 + 9 * (12.5 + 7.5)
    np.testing.assert_allclose(total, [exact], rtol=1e-13)


def test_constants_and_fields_of_one_node_fill_the_box():
    x, _ = mesh(PLANE, (4, 3))
    line, whole = batch(x[:, :1]), batch(x)
    both = {"u": batch(x, 2 * x)}

    def density(v):
        return v["u"] * v["a"] + v["a_x"] + v["a_y"]

    short = integrate(density, {"a": line, **both}, ("x", "y"), PLANE)
    np.testing.assert_allclose(short, [16 / 3 + 4, 32 / 3 + 4], rtol=1e-13)
    np.testing.assert_allclose(
        short, integrate(density, {"a": whole, **both}, ("x", "y"), PLANE), rtol=1e-13
    )
    np.testing.assert_allclose(integrate(lambda v: 0.5, both, ("x", "y"), PLANE), [2, 2])


def test_single_precision_serves_a_thousand_nodes():
    x, y = mesh(PLANE, (1024, 1024))
    values = np.sin(7 * x) * np.cos(5 * y) + 1.3

    @tf.function(jit_compile=True, autograph=False)
    def total(u):
        return integrate(lambda v: v["u"] ** 2 + v["u_x"] ** 2, {"u": u}, ("x", "y"), PLANE)

    exact = total(batch(values))
    np.testing.assert_allclose(total(batch(values, dtype=tf.float32)), exact, rtol=3e-7)


def quartic(u):
    """Return an energy whose Hessian depends on u."""
    return integrate(
        lambda v: v["u_x"] ** 4 + v["u_x"] * v["u_y"] + tf.exp(v["u"]), {"u": u}, "xy", PLANE
    )


def test_gradients_of_first_and_second_order():
    random = np.random.default_rng(3)
    u, towards = batch(random.random((4, 3))), batch(random.standard_normal((4, 3)))
    free = np.arange(12).reshape(4, 3) % 5 > 0

    for function in (quartic, lambda v: galerkin(quartic, v, free, spacings(PLANE, (4, 3)))):
        with tf.GradientTape() as tape:
            tape.watch(u)
            value = function(u)
        slope = tf.reduce_sum(tape.gradient(value, u) * towards)
        numeric = (function(u + 1e-5 * towards) - function(u - 1e-5 * towards)) / 2e-5
        np.testing.assert_allclose(slope, numeric[0], rtol=1e-7)


def test_weak_residual_approximates_the_strong_one():
    shape = (33, 49)
    x, y = mesh(PLANE, shape)
    u = np.sin(np.pi * x) * np.sin(np.pi * y)
    free = np.zeros(shape)
    free[1:-1, 1:-1] = 1

    def residual(source):
        def energy(v):
            fields = {"u": v, "f": batch(source, 0 * source)}
            return integrate(
                lambda v: (v["u_x"] ** 2 + v["u_y"] ** 2) / 2 - v["f"] * v["u"], fields, "xy", PLANE
            )

        return galerkin(energy, batch(u, 2 * u), free, spacings(PLANE, shape)).numpy()

    strong = 2 * np.pi**2 * u
    solved, unsolved = residual(strong)
    mean = np.mean(strong[1:-1, 1:-1] ** 2)
    assert solved < 1e-4 * mean
    assert unsolved == pytest.approx(4 * mean, rel=0.02)


def test_differences_of_polynomials():
    x, y = mesh(PLANE, (9, 8))
    h = spacings(PLANE, (9, 8))
    inner = (0, slice(2, -2), slice(2, -2))
    u = batch(x**4 + 3 * x**2 * y**2)
    exact = {
        (1, 0): 4 * x**3 + 6 * x * y**2 + 4 * x * h[0] ** 2,
        (0, 1): 6 * x**2 * y,
        (0, 2): 6 * x**2,
        (1, 1): 12 * x * y,
        (2, 1): 12 * y,
        (3, 0): 24 * x,
        (4, 0): 24 + 0 * x,
    }
    for orders, values in exact.items():
        result = difference(u, h, orders)
        assert result.shape == u.shape
        np.testing.assert_allclose(result[inner], values[2:-2, 2:-2], rtol=1e-9)


def test_one_sided_differences_and_ends():
    h = [0.5]
    u = batch([1.0, 2.0, 4.0, 7.0])
    expected = {
        (1, "backward"): [2, 2, 4, 6],
        (1, "forward"): [2, 4, 6, 6],
        (1, "central"): [0, 3, 5, 0],
        (2, "central"): [8, 4, 4, -24],
        (2, "backward"): [8, 4, 4, -24],
    }
    for (order, kind), values in expected.items():
        np.testing.assert_allclose(difference(u, h, (order,), (kind,)), [values])
    mixed = difference(u[:, :, None] * tf.ones([1, 1, 2], u.dtype), [0.5, 1.0], (1, 1))
    assert np.all(mixed == 0)


def test_upwinding_follows_the_speed():
    u = batch(np.random.default_rng(5).random((6, 1)))
    for speed, kind in ((2.0, "backward"), (-2.0, "forward")):
        flux = flux_divergence(speed * u, speed + 0 * u, u, 0, 0.1)
        expected = speed * difference(u, (0.1, 1), (1, 0), (kind, "central"))
        np.testing.assert_allclose(flux[:, 1:-1], expected[:, 1:-1], rtol=1e-12)


def test_fluxes_are_conserved_and_damped():
    random = np.random.default_rng(6)
    u = batch(random.standard_normal((2, 7)))
    change = flux_divergence(u**2 / 2, u, u, 1, 0.25)
    ends = (u[..., -1] ** 2 - u[..., 0] ** 2) / 2
    np.testing.assert_allclose(0.25 * tf.reduce_sum(change, axis=-1), ends, rtol=1e-12)
    # A jump of height 2 is damped by half of that, times the speed: G = 1/2 + 1 and 1/2 - 1.
    for sign in (1.0, -1.0):
        jump = sign * batch([1.0, 1.0, -1.0, -1.0])
        change = flux_divergence(jump**2 / 2, jump, jump, 0, 0.5)
        np.testing.assert_allclose(change, [[0, 2 * sign, -2 * sign, 0]], atol=1e-14)


def test_everything_compiles():
    @tf.function(jit_compile=True, autograph=False)
    def loss(u):
        h = spacings(PLANE, u.shape[1:])
        rows = difference(u, h, (1, 2), ("backward", "central"))
        rows += flux_divergence(u**2 / 2, u, u, 1, h[1])
        return tf.reduce_sum(rows**2, axis=[1, 2]) + quartic(u)

    u = batch(np.random.default_rng(7).random((4, 3)))
    np.testing.assert_allclose(loss(u), loss.python_function(u), rtol=1e-12)
