"""Operators that an expression may name: derivatives of whole expressions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Protocol

import sympy

from pdehvd.errors import counted, nearest
from pdehvd.numerics.chain_rule import total_derivative
from pdehvd.numerics.functions import Value
from pdehvd.numerics.syntax import ExpressionText


class Reader(Protocol):
    """What reads a text, with the names of fields, of coordinates, and of those that are space."""

    source: ExpressionText
    fields: Sequence[str]
    coordinates: Sequence[str]
    space: Sequence[str]

    def value(self, node: ast.expr, depth: int = 0) -> Value:
        """Return the expression under a node."""


def _along(reader: Reader, expression: sympy.Expr, name: str) -> sympy.Expr:
    axis = list(reader.coordinates).index(name)
    return total_derivative(expression, axis, reader.fields, reader.coordinates)


def _diff(reader: Reader, node: ast.Call, depth: int) -> sympy.Expr:
    """Read diff(f, x, y): the derivative of an expression by one coordinate after another."""
    if len(node.args) < 2:
        expected = f"an expression and a coordinate, such as diff(u, {reader.coordinates[0]})"
        reader.source.fail("diff lacks a coordinate", node, expected)
    result = reader.value(node.args[0], depth + 1).expr
    for argument in node.args[1:]:
        name = argument.id if isinstance(argument, ast.Name) else ""
        if name not in reader.coordinates:
            shown = f"'{name}' is not a coordinate" if name else "this is not a coordinate"
            expected = "one of " + ", ".join(reader.coordinates)
            reader.source.fail(shown, argument, expected, nearest(name, reader.coordinates))
        result = _along(reader, result, name)
    return result


def _laplacian(reader: Reader, node: ast.Call, depth: int) -> sympy.Expr:
    """Read laplacian(f): the sum of second derivatives by the coordinates of space."""
    _check_count(reader, node, 1)
    inner = reader.value(node.args[0], depth + 1).expr
    return sympy.Add(*(_along(reader, _along(reader, inner, name), name) for name in reader.space))


def _div(reader: Reader, node: ast.Call, depth: int) -> sympy.Expr:
    """Read div(f, g): the divergence of a vector, a component for each coordinate of space."""
    _check_count(reader, node, len(reader.space))
    parts = [reader.value(argument, depth + 1).expr for argument in node.args]
    return sympy.Add(
        *(_along(reader, part, name) for part, name in zip(parts, reader.space, strict=True))
    )


def _check_count(reader: Reader, node: ast.Call, count: int) -> None:
    if len(node.args) != count:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        takes = counted(count, "argument")
        of = "" if name == "laplacian" else ", for " + ", ".join(reader.space)
        reader.source.fail(f"{name} takes {takes}{of}, not {len(node.args)}", node)


OPERATORS: dict[str, Callable[[Reader, ast.Call, int], sympy.Expr]] = {
    "diff": _diff,
    "laplacian": _laplacian,
    "div": _div,
}
"""By name; a user's own name comes before."""
