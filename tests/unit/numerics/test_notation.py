"""Texts in the notation of other programs: the message says how they are written here."""

from __future__ import annotations

import pytest

from pdehvd.numerics.derivatives import field_symbols
from pdehvd.numerics.expressions import ExpressionError, parse, parse_relation, symbol

FIELDS, COORDINATES = ("u", "v"), ("x", "t")
DERIVATIVES = "names such as u_x, u_t, u_xx; of expressions, diff(..., x)"


def refused(text: str, coordinates: tuple[str, ...] = COORDINATES) -> ExpressionError:
    names = {name: symbol(name) for name in (*coordinates, *FIELDS, "nu", "kappa_0")}
    names |= field_symbols(text, FIELDS, coordinates)
    with pytest.raises(ExpressionError) as caught:
        parse(text, names, fields=FIELDS, coordinates=coordinates)
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "d(u)/dx",
        "du/dx",
        "d2u/dx2",
        "d^2u/dx^2",
        "dudx",
        "du_dx",
        "d2u_dx2",
        "Derivative(u, x)",
        "D(u, x)",
        "grad(u)",
        "u.diff(x)",
        "u_{xx}",
        "u_{x",
        "u'",
        "u''",
        "v_x'",
        "∂u/∂x",
        "dde.grad.jacobian(u, x)",
        "dde.grad.hessian(u, x, i=0, j=0)",
        "tf.gradients(u, x)",
        "torch.autograd.grad(u, x)",
        "jax.grad(u)",
    ],
)
def test_derivatives(text: str) -> None:
    error = refused(f"nu*{text}")
    assert "is not how derivatives are written" in error.message
    assert error.expected == DERIVATIVES
    assert error.column == 4


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("np.sin(x)", "sin(...)"),
        ("numpy.arctan2(x, t)", "atan2(...)"),
        ("math.exp(x)", "exp(...)"),
        ("tf.math.sin(x)", "sin(...)"),
        ("tf.sin(x)", "sin(...)"),
        ("torch.tanh(u)", "tanh(...)"),
        ("jnp.maximum(u, 0)", "max(...)"),
        ("np.log(x)", "log(...)"),
        ("np.pi", "pi"),
        ("np.power(u, 2)", "x^2"),
        ("sympy.Heaviside(x)", "heaviside(...)"),
    ],
)
def test_functions_of_libraries(text: str, written: str) -> None:
    assert f": write {written} " in refused(f"u + {text}").message


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("loge(x)", "log"),
        ("arcsin(x)", "asin"),
        ("SIN(x)", "sin"),
        ("maximum(x, 1)", "max"),
        ("U", "u"),
        ("T", "t"),
        ("Nu", "nu"),
        ("PI", "pi"),
        ("U_xx", "u_xx"),
        ("u_XX", "u_xx"),
        ("uxx", "u_xx"),
        ("u_x_t", "u_xt"),
        ("u_2x", "u_xx"),
        ("u_x3", "u_xxx"),
        ("kappa0", "kappa_0"),
    ],
)
def test_names(text: str, near: str) -> None:
    assert refused(f"1 + {text}").nearest == near


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("u_t", "'t' is not a coordinate"),
        ("u_yy", "'y' is not a coordinate"),
        ("u_xt", "'t' is not a coordinate"),
        ("u_theta", "'theta' is not a coordinate"),
        ("w_x", "'w' is not a field"),
        ("u_n", "the derivative along the normal is known only in conditions on a boundary"),
        ("n_x", "the components of the normal are known only in conditions on a boundary"),
    ],
)
def test_derivatives_by_what_is_no_coordinate(text: str, reason: str) -> None:
    error = refused(f"{text} + u", ("x",))
    assert error.message == f"unknown name '{text}': {reason} (expression, column 1)"
    assert error.nearest == ""


@pytest.mark.parametrize("text", ["u(t - 1)", "u(x, t - 0.5)", "u_x(x, 2*t)", "v(x + 1, t)"])
def test_delays_and_shifts(text: str) -> None:
    assert "delays and shifts are not supported" in refused(f"u_t - {text}").message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("u(x, t)", "u, by its name alone"),
        ("u_xx(x)", "u_xx, by its name alone"),
        ("u[:, 0]", "names alone, such as u, v"),
        ("Laplace(u)", "laplacian(u), div(u_x), or derivatives such as u_x"),
        ("∇u", "laplacian(u), div(u_x), or derivatives such as u_x"),
        ("u + diff(u, z)", "one of x, t"),
        ("diff(u)", "an expression and a coordinate, such as diff(u, x)"),
        ("integrate(u, x)", "a condition such as {integral: u, over: x, equal: 1}"),
        ("sec(x)", "for example 1/cos(x)"),
        ("pow(u, 2)", "for example x^2"),
        ("u²", "^2"),
        ("nu·u", "*"),
        ("sin^2(x)", "sin(...)^2"),
        ("sin x", "sin(...)"),
        ("1 if x > 0 else 0", "where(condition, a, b)"),
        ("x > 0 ? 1 : 0", "where(condition, a, b)"),
        ("u && v", "'and' between conditions"),
        ("u; v", "'and' between conditions"),
        ("|u|", "abs(...), or 'or' between conditions"),
        ("nu u_xx", "products written with *"),
        ("5 nu", "products written with *"),
        ("2 pi", "products written with *"),
        ("5 mm", "a number without a unit; a product is written with *"),
        ("10 kg m^-3", "a number without a unit; a product is written with *"),
        ("0.5a", "a number without a unit; a product is written with *"),
        ("-0,5", "a decimal point: -0.5"),
        ("1,000", "a decimal point: 1.000, or 1000"),
        ("1.0D-3", "1.0e-3"),
        ("nu*u_xx + 1 000", "1000"),
        ("5 %", "the number itself: 0.05"),
        ("((1 + x)*u_x)_x", "diff(..., x)"),
    ],
)
def test_what_is_expected_instead(text: str, expected: str) -> None:
    assert refused(text).expected == expected


@pytest.mark.parametrize("text", ["d*u", "u + dudx", "du_dx + 1", "d(x)", "du/dx"])
def test_names_that_are_known_are_nobodys_notation(text: str) -> None:
    names = {name: symbol(name) for name in ("x", "u", "d", "dudx", "du", "dx", "du_dx")}
    try:
        parse(text, names, fields=["u"], coordinates=["x"])
    except ExpressionError as error:
        assert error.message.startswith("'d' is not a function")


def test_relations_and_texts_without_fields() -> None:
    with pytest.raises(ExpressionError, match="write cos"):
        parse_relation("np.cos(x) > 0", {"x": symbol("x")})
    with pytest.raises(ExpressionError, match="names such as u_x, u_y, u_xx"):
        parse("grad(f, x)", {"x": symbol("x")})
