"""Derivatives of whole expressions, against those of functions put in the place of fields."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import sympy

from pdehvd.numerics.chain_rule import expand_definitions, total_derivative
from pdehvd.numerics.derivatives import field_symbols, partial_of
from pdehvd.numerics.expressions import parse, symbol
from pdehvd.numerics.syntax import ExpressionError

COORDINATES, FIELDS = ("x", "t"), ("u", "v")
X, T = symbol("x"), symbol("t")
FUNCTIONS = {"u": sympy.sin(2 * X) * sympy.exp(-T), "v": X**3 * T**2 + sympy.cos(X * T)}
AT = {X: sympy.Rational(3, 10), T: sympy.Rational(7, 10)}
TEXTS = [
    "u",
    "x*u_x - t^2",
    "u*v_t + exp(-u)*sin(x*v)",
    "sqrt(1 + u_x^2 + v_t^2)",
    "u_xx*v - u*v_xx",
    "where(x > 0, u^2, v) + max(u, v)",
]


def read(text: str, more: tuple[str, ...] = ()) -> sympy.Expr:
    fields = (*FIELDS, *more)
    names = {name: symbol(name) for name in (*COORDINATES, *fields)}
    names |= field_symbols(text, fields, COORDINATES)
    return parse(text, names, "expression", fields, COORDINATES, ("x",))


def put(expression: sympy.Expr, functions: Mapping[str, sympy.Expr] = FUNCTIONS) -> sympy.Expr:
    """Put functions in the place of names and their derivatives."""
    values = {}
    for inner in expression.free_symbols:
        partial = partial_of(inner.name, tuple(functions), COORDINATES)
        if partial is not None:
            m, n = partial.orders
            values[inner] = functions[partial.field].diff(X, m).diff(T, n)
    return expression.subs(values)


def close(ours: sympy.Expr, theirs: sympy.Expr) -> bool:
    a, b = (float(e.subs(AT).evalf(30)) for e in (ours, theirs))
    return abs(a - b) <= 1e-12 * max(1.0, abs(b))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("axis", [0, 1])
def test_a_total_derivative_is_that_of_the_function(text: str, axis: int) -> None:
    expression = read(text)
    derivative = total_derivative(expression, axis, FIELDS, COORDINATES)
    assert close(put(derivative), put(expression).diff(symbol(COORDINATES[axis])))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("diff(u, x)", "u_x"),
        ("diff(u*v, x)", "u_x*v + u*v_x"),
        ("diff(x^2*u_t, x, t)", "2*x*u_tt + x^2*u_xtt"),
        ("laplacian(u)", "u_xx"),
        ("laplacian(u)^2 + diff(u, t)", "u_xx^2 + u_t"),
        ("div(x*u_x)", "u_x + x*u_xx"),
        ("diff(diff(u, x) + v, t)", "u_xt + v_t"),
    ],
)
def test_operators(text: str, written: str) -> None:
    assert sympy.expand(read(text) - read(written)) == 0


@pytest.mark.parametrize("text", ["s_x", "s_xt - s*u_t", "s_t^2", "laplacian(s)", "diff(u*s, x)"])
def test_a_definition_is_what_it_stands_for(text: str) -> None:
    meaning = read("u*v_x + x^2")
    ours = expand_definitions(read(text, ("s",)), {"s": meaning}, FIELDS, COORDINATES)
    assert {s.name for s in ours.free_symbols}.isdisjoint({"s", "s_x", "s_t"})
    # The definition as a field whose function is known.
    assert close(put(ours), put(read(text, ("s",)), {**FUNCTIONS, "s": put(meaning)}))


@pytest.mark.parametrize(
    ("text", "message", "expected"),
    [
        ("diff(u)", "diff lacks a coordinate", "such as diff(u, x)"),
        ("diff(u, z)", "'z' is not a coordinate", "one of x, t"),
        ("diff(u, 2*x)", "this is not a coordinate", "one of x, t"),
        ("laplacian(u, v)", "laplacian takes 1 argument, not 2", ""),
        ("div(u, v)", "div takes 1 argument, for x, not 2", ""),
        ("diff(u, x=1)", "this is not a coordinate", "one of x, t"),
    ],
)
def test_what_an_operator_refuses(text: str, message: str, expected: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        read(text)
    assert message in caught.value.message and expected in caught.value.expected


def test_an_order_above_four_is_refused() -> None:
    meaning = read("u_xxx")
    with pytest.raises(ExpressionError, match="'u_xxxxx' is a derivative of order 5"):
        expand_definitions(read("s_xx", ("s",)), {"s": meaning}, FIELDS, COORDINATES)


def test_a_name_of_the_user_comes_before_an_operator() -> None:
    assert parse("diff*2", {"diff": symbol("diff")}) == 2 * symbol("diff")
