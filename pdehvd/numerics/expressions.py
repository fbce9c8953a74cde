"""Text to checked SymPy to TensorFlow or NumPy: the public face of the expression modules."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import sympy

from pdehvd.numerics.building import MAX_NUMBER
from pdehvd.numerics.chain_rule import substitute_hard
from pdehvd.numerics.collapse import Collapsed, collapse_operators
from pdehvd.numerics.compiling import compile_numpy, compile_tf
from pdehvd.numerics.derivatives import (
    Partial,
    check_names,
    expand_normals,
    field_symbols,
    partial_name,
    partial_of,
)
from pdehvd.numerics.functions import CONSTANTS, FUNCTIONS, constant_value, exact, symbol
from pdehvd.numerics.notation import advise
from pdehvd.numerics.parsing import Walker
from pdehvd.numerics.syntax import MAX_LENGTH, ExpressionError, ExpressionText

__all__ = [
    "CONSTANTS",
    "FUNCTIONS",
    "Collapsed",
    "ExpressionError",
    "Partial",
    "check_names",
    "collapse_operators",
    "compile_numpy",
    "compile_tf",
    "constant_value",
    "exact",
    "expand_normals",
    "field_symbols",
    "parse",
    "parse_number",
    "parse_relation",
    "partial_name",
    "partial_of",
    "substitute_hard",
    "symbol",
]


def _checked_size(source: ExpressionText, expr: sympy.Basic) -> sympy.Basic:
    """Refuse numbers that SymPy made too large for a double, such as those of (9*x)**1000."""
    for number in expr.atoms(sympy.Number):
        if not abs(number) <= sympy.Float(MAX_NUMBER):
            source.fail(f"contains a number larger than {MAX_NUMBER:g}", None)
    return expr


@contextmanager
def _advice(
    text: str,
    what: str,
    known: Collection[str],
    fields: Collection[str] = (),
    coordinates: Collection[str] = (),
) -> Iterator[None]:
    """Where a text cannot be read because it follows another program, say how it is written."""
    try:
        yield
    except ExpressionError as error:
        found = advise(text[:MAX_LENGTH], known, fields, coordinates)
        if found is None:
            raise
        column = found.position + 1
        message = f"{found.message} ({what}, column {column})"
        raise ExpressionError(message, (), found.expected, "", column, text) from error


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ExpressionError(f"{value!r} is not a valid {what}", (), "a number or an expression")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ExpressionError(f"{value!r} is not finite ({what})", (), "a finite number")
    return number


def parse(
    text: str | int | float,
    symbols: Mapping[str, sympy.Basic],
    what: str = "expression",
    fields: Sequence[str] = (),
    coordinates: Sequence[str] = (),
    space: Sequence[str] = (),
) -> sympy.Expr:
    """Return a text such as `u_t + u*u_x - nu*u_xx` as a SymPy expression.

    Names come from `symbols`, and otherwise from pi, e and the functions of `FUNCTIONS`. Decimal
    numbers become exact fractions. `what` names the text in errors. No code is ever run: the text
    is read as a Python syntax tree, of which only whitelisted nodes are translated; lengths,
    depths and numbers are bounded. With `fields` and `coordinates`, some of which are `space`,
    errors say more, and there are `diff`, `laplacian` and `div`.

    Raises ExpressionError with the column.
    """
    if not isinstance(text, str):
        _number(text, what)
        return exact(int(text) if isinstance(text, numbers.Integral) else float(text))
    with _advice(text, what, symbols, fields, coordinates):
        source = ExpressionText(text, what)
        walker = Walker(source, symbols, fields, coordinates, space)
        return _checked_size(source, walker.value(source.tree).expr)


def parse_number(
    value: object, constants: Mapping[str, float] | None = None, what: str = "number"
) -> float:
    """Return a number, or the value of an expression without symbols such as `0.01/pi`.

    Correct to one unit in the last place. Raises ExpressionError when it is not finite and real.
    """
    if not isinstance(value, str):
        return _number(value, what)
    known = {name: exact(_number(number, what)) for name, number in (constants or {}).items()}
    return constant_value(parse(value, known, what))


def parse_relation(
    text: str, symbols: Mapping[str, sympy.Basic], what: str = "condition"
) -> sympy.Basic:
    """Return a text such as `x = -1` or `x <= 0 and y > 0` as a SymPy relation.

    A single = means equality. A relation that holds always or never becomes `sympy.true` or
    `sympy.false`. Raises ExpressionError with the column.
    """
    if not isinstance(text, str):
        raise ExpressionError(f"{text!r} is not a valid {what}", (), "a comparison such as 'x > 0'")
    with _advice(text, what, symbols):
        source = ExpressionText(text, what)
        return _checked_size(source, Walker(source, symbols).condition(source.tree))
