"""Find second-order operators, such as the Laplacian, that equations need only as a whole."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sympy

from pdehvd.numerics.derivatives import Partial, partial_of
from pdehvd.numerics.functions import constant_value, symbol
from pdehvd.numerics.syntax import ExpressionError

MultiIndex = tuple[int, ...]
Operator = tuple[tuple[MultiIndex, float], ...]

MAX_CANDIDATES = 8  # beyond this many different operators only all or none are considered


class Collapsed(NamedTuple):
    """Expressions in which `u__op0` stands for operator 0 applied to `u`.

    `partials` are the multi-indices still needed one by one (for any field), `operators` the sums
    sum_k c_k d^{m_k} with c_0 = 1, `names` the field and operator that each new symbol stands for.
    """

    expressions: list[sympy.Basic]
    partials: set[MultiIndex]
    operators: tuple[Operator, ...]
    names: dict[str, tuple[str, int]]


class _Linear(NamedTuple):
    """An expression as rest + coefficient * operator(field)."""

    field: str
    coefficient: sympy.Basic
    operator: Operator
    symbols: tuple[sympy.Symbol, ...]


def _partials(
    expr: sympy.Basic, fields: Sequence[str], coordinates: Sequence[str]
) -> dict[sympy.Basic, Partial]:
    found = {s: partial_of(s.name, fields, coordinates) for s in expr.free_symbols}
    return {s: partial for s, partial in found.items() if partial is not None}


def numeric_ratio(upper: sympy.Basic, lower: sympy.Basic) -> float | None:
    """Return upper / lower where it is a number, else None."""
    ratio = upper / lower
    if ratio.free_symbols:
        try:
            ratio = sympy.cancel(ratio)
        except (sympy.PolynomialError, TypeError, ValueError, AttributeError):
            return None
    if ratio.free_symbols:
        return None
    try:
        return constant_value(ratio)
    except ExpressionError:
        return None


def _combinations(
    expr: sympy.Basic, field: str, second: dict[sympy.Basic, Partial]
) -> list[_Linear]:
    """Return the operators through which `expr` holds second derivatives of `field`.

    Derivatives whose coefficients differ by numbers only form one operator; lone ones form none.
    """
    own = sorted(
        (s for s, partial in second.items() if partial.field == field),
        key=lambda s: second[s].orders,
        reverse=True,
    )
    coefficients = {s: sympy.diff(expr, s) for s in own}
    if any(c.free_symbols & set(second) or c == 0 for c in coefficients.values()):
        return []
    groups: list[list[tuple[sympy.Symbol, float]]] = []
    for inner in own:
        for group in groups:
            ratio = numeric_ratio(coefficients[inner], coefficients[group[0][0]])
            if ratio:
                group.append((inner, ratio))
                break
        else:
            groups.append([(inner, 1.0)])
    return [
        _Linear(
            field,
            coefficients[group[0][0]],
            tuple((second[inner].orders, ratio) for inner, ratio in group),
            tuple(inner for inner, _ in group),
        )
        for group in groups
        if len(group) > 1
    ]


def _second_below(orders: MultiIndex) -> set[MultiIndex]:
    """Return the second-order multi-indices that a derivative of higher order is built from."""
    ranges = [range(order + 1) for order in orders]
    return {below for below in itertools.product(*ranges) if sum(below) == 2}


def _chosen(candidates: Sequence[Operator], forced: set[MultiIndex]) -> tuple[Operator, ...]:
    """Return the operators worth collapsing: those that leave the fewest channels to compute."""

    def channels(chosen: tuple[Operator, ...]) -> tuple[int, int]:
        single = {m for operator in candidates if operator not in chosen for m, _ in operator}
        return len(single | forced) + len(chosen), len(chosen)

    sizes: Iterable[int] = range(len(candidates) + 1)
    if len(candidates) > MAX_CANDIDATES:
        sizes = (0, len(candidates))
    subsets = itertools.chain.from_iterable(itertools.combinations(candidates, k) for k in sizes)
    return min(subsets, key=channels)


def collapse_operators(
    expressions: Iterable[sympy.Basic],
    fields: Sequence[str],
    coordinates: Sequence[str],
    frozen_names: Iterable[str] = (),
) -> Collapsed:
    """Replace fixed combinations of second derivatives, such as u_xx + u_yy, by one symbol each.

    A combination collapses where an expression is linear in a field's second derivatives and their
    coefficients differ by numbers only (symbols, such as unknowns, are not numbers), and where it
    leaves fewer derivatives to compute over all fields and expressions together. Derivatives in
    `frozen_names` are computed one by one in any case. The values of expressions do not change.
    """
    given = list(expressions)
    needed: set[MultiIndex] = set()
    forced: set[MultiIndex] = set()
    linear: list[list[_Linear]] = []
    frozen = [partial_of(name, fields, coordinates) for name in frozen_names]
    needed.update(partial.orders for partial in frozen if partial is not None)
    for expression in given:
        partials = _partials(expression, fields, coordinates)
        second = {s: partial for s, partial in partials.items() if sum(partial.orders) == 2}
        linear.append([c for field in fields for c in _combinations(expression, field, second)])
        whole = {s for item in linear[-1] for s in item.symbols}
        needed.update(partial.orders for s, partial in partials.items() if s not in whole)
    for orders in needed:
        forced |= _second_below(orders)
    candidates = list(dict.fromkeys(item.operator for items in linear for item in items))
    operators = _chosen(candidates, forced)
    needed.update(m for o in candidates if o not in operators for m, _ in o)
    names: dict[str, tuple[str, int]] = {}
    results = []
    for expression, items in zip(given, linear, strict=True):
        for item in items:
            if item.operator in operators:
                index = operators.index(item.operator)
                name = f"{item.field}__op{index}"
                names[name] = (item.field, index)
                rest = expression.xreplace(dict.fromkeys(item.symbols, sympy.S.Zero))
                expression = rest + item.coefficient * symbol(name)
        results.append(expression)
    return Collapsed(results, needed, operators, names)
