"""Derivatives of whole expressions by the chain rule: of definitions and of hard conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sympy

from pdehvd.errors import nearest
from pdehvd.numerics.derivatives import NETWORK, Partial, partial_name, partial_of
from pdehvd.numerics.functions import symbol
from pdehvd.numerics.syntax import ExpressionError


def total_derivative(
    expression: sympy.Expr, axis: int, fields: Sequence[str], coordinates: Sequence[str]
) -> sympy.Expr:
    """Return df/dx of f(x, u, u_x, ...), the derivative along one coordinate.

    df/dx = (partial f)/(partial x) + sum over fields and derivatives v of (partial f)/(partial v)
    v_x. The result may name derivatives of an order that `partial_of` refuses.

    >>> coordinates, fields = ["x", "t"], ["u"]
    >>> u, u_x, x = symbol("u"), symbol("u_x"), symbol("x")
    >>> total_derivative(x * u * u_x, 0, fields, coordinates)
    u*u_x + u*u_xx*x + u_x**2*x
    """
    terms = [sympy.diff(expression, symbol(coordinates[axis]))]
    for inner in sorted(expression.free_symbols, key=str):
        partial = partial_of(inner.name, fields, coordinates)
        if partial is not None:
            raised = partial_name(_raised(partial, axis), coordinates)
            terms.append(sympy.diff(expression, inner) * symbol(raised))
    return sympy.Add(*terms)


def _raised(partial: Partial, axis: int, by: int = 1) -> Partial:
    orders = tuple(order + by * (i == axis) for i, order in enumerate(partial.orders))
    return Partial(partial.field, orders)


class _Derivatives:
    """All partial derivatives of an expression, each computed once."""

    def __init__(
        self, expression: sympy.Expr, fields: Sequence[str], coordinates: Sequence[str]
    ) -> None:
        self._fields = fields
        self._coordinates = coordinates
        self._known = {(0,) * len(coordinates): expression}

    def partial(self, orders: tuple[int, ...]) -> sympy.Expr:
        """Return the derivative of these orders, one coordinate after another."""
        if orders not in self._known:
            axis = next(i for i, order in enumerate(orders) if order)
            lower = self.partial(_raised(Partial("", orders), axis, -1).orders)
            derivative = total_derivative(lower, axis, self._fields, self._coordinates)
            self._known[orders] = derivative
        return self._known[orders]


def expand_definitions(
    expression: sympy.Expr,
    definitions: Mapping[str, sympy.Expr],
    fields: Sequence[str],
    coordinates: Sequence[str],
) -> sympy.Expr:
    """Replace defined names, and their derivatives such as `s_x`, by what they stand for.

    The definitions are expressions of fields alone. Raises ExpressionError where a derivative of
    order above 4 comes out.
    """
    known = {
        name: _Derivatives(meaning, fields, coordinates) for name, meaning in definitions.items()
    }
    expanded = _replaced(expression, known, (*fields, *definitions), coordinates)
    for inner in expanded.free_symbols:
        partial_of(inner.name, fields, coordinates)
    return expanded


def substitute_hard(
    expressions: Iterable[sympy.Basic],
    transforms: Mapping[str, sympy.Basic],
    fields: Sequence[str],
    coordinates: Sequence[str],
) -> list[sympy.Basic]:
    """Replace every field by its transform of the raw output `network`, and derivatives alike.

    With u = a(x) + b(x)*network, `u_x` becomes a' + b' u + b u_x, where `u` and `u_x` now mean the
    raw output and its derivative. Normal derivatives must be expanded before (`expand_normals`).

    Raises ExpressionError for a transform of an unknown field, or one that uses other fields.
    """
    known = {}
    for field, value in transforms.items():
        if field not in fields:
            near = nearest(field, fields)
            raise ExpressionError(f"no field '{field}'", (field,), ", ".join(fields), near)
        for name in sorted(s.name for s in sympy.sympify(value).free_symbols):
            if partial_of(name, fields, coordinates) is not None:
                message = f"a hard condition may not use the field '{name}'"
                raise ExpressionError(message, (field,), f"coordinates, constants and '{NETWORK}'")
        raw = sympy.sympify(value).xreplace({symbol(NETWORK): symbol(field)})
        known[field] = _Derivatives(raw, [field], coordinates)
    return [_replaced(expression, known, fields, coordinates) for expression in expressions]


def _replaced(
    expression: sympy.Basic,
    known: Mapping[str, _Derivatives],
    names: Sequence[str],
    coordinates: Sequence[str],
) -> sympy.Basic:
    """Replace some of the names, and their derivatives, by known expressions and theirs."""
    values = {}
    for inner in expression.free_symbols:
        partial = partial_of(inner.name, names, coordinates)
        if partial is not None and partial.field in known:
            values[inner] = known[partial.field].partial(partial.orders)
    return expression.xreplace(values)
