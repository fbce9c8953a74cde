"""Let first derivatives ride in second-order operators: u_t - nu*u_xx becomes one channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sympy

from pdehvd.numerics.collapse import Collapsed, MultiIndex, Operator, numeric_ratio
from pdehvd.numerics.derivatives import Partial, partial_name, partial_of
from pdehvd.numerics.functions import symbol
from pdehvd.numerics.plans import canonical_operator, plan


class _Ride(NamedTuple):
    """In one expression, first derivative `rider` of a field as ratio * its carrier's factor."""

    expression: int
    field: str
    rider: sympy.Symbol
    carrier: sympy.Symbol
    ratio: float


def absorb_first_order(
    collapsed: Collapsed, fields: Sequence[str], coordinates: Sequence[str]
) -> Collapsed:
    """Return equal expressions with fewer derivatives to compute, where first ones can ride along.

    The first derivative along a coordinate rides where every expression that names it is linear in
    it and in one second derivative or operator of the same field, with coefficients whose ratio is
    a number. It is worth doing where the plan of the jets then has fewer channels.
    """
    best = collapsed
    for axis in range(len(coordinates)):
        index = tuple(int(axis == other) for other in range(len(coordinates)))
        if index in best.partials:
            tried = _absorbed(best, index, fields, coordinates)
            if tried is not None and _channels(tried, coordinates) < _channels(best, coordinates):
                best = tried
    return best


def _channels(collapsed: Collapsed, coordinates: Sequence[str]) -> int:
    return plan(len(coordinates), collapsed.partials, collapsed.operators).channels


def _absorbed(
    collapsed: Collapsed, index: MultiIndex, fields: Sequence[str], coordinates: Sequence[str]
) -> Collapsed | None:
    """Return the expressions with all first derivatives `index` riding, or None."""
    rides = []
    for number, expression in enumerate(collapsed.expressions):
        for field in fields:
            rider = symbol(partial_name(Partial(field, index), coordinates))
            if rider in expression.free_symbols:
                ride = _ride(number, expression, field, rider, collapsed, coordinates)
                if ride is None:
                    return None
                rides.append(ride)
    return _rebuilt(collapsed, rides, fields, coordinates) if rides else None


def _ride(
    number: int,
    expression: sympy.Basic,
    field: str,
    rider: sympy.Symbol,
    collapsed: Collapsed,
    coordinates: Sequence[str],
) -> _Ride | None:
    own = sympy.diff(expression, rider)
    for carrier in sorted(expression.free_symbols, key=str):
        if _terms(carrier, field, collapsed, coordinates) is None:
            continue
        other = sympy.diff(expression, carrier)
        if {rider, carrier} & (own.free_symbols | other.free_symbols):
            continue
        ratio = numeric_ratio(own, other)
        if ratio:
            return _Ride(number, field, rider, carrier, ratio)
    return None


def _terms(
    carrier: sympy.Symbol, field: str, collapsed: Collapsed, coordinates: Sequence[str]
) -> Operator | None:
    """Return what a symbol stands for where it is of second order and of this field."""
    if carrier.name in collapsed.names:
        owner, number = collapsed.names[carrier.name]
        return collapsed.operators[number] if owner == field else None
    partial = partial_of(carrier.name, [field], coordinates)
    if partial is None or sum(partial.orders) != 2:
        return None
    return ((partial.orders, 1.0),)


def _rebuilt(
    collapsed: Collapsed, rides: list[_Ride], fields: Sequence[str], coordinates: Sequence[str]
) -> Collapsed:
    """Return the expressions with the rides in place, and all tables rebuilt."""
    meaning: dict[sympy.Symbol, tuple[str, Operator]] = {
        symbol(name): (field, collapsed.operators[number])
        for name, (field, number) in collapsed.names.items()
    }
    expressions = list(collapsed.expressions)
    for count, ride in enumerate(rides):
        terms = _terms(ride.carrier, ride.field, collapsed, coordinates) or ()
        partial = partial_of(ride.rider.name, [ride.field], coordinates)
        assert partial is not None
        joined = canonical_operator([*terms, (partial.orders, ride.ratio)])
        # A name of its own until the table is complete.
        new = symbol(f"{ride.field}__ride{count}")
        meaning[new] = (ride.field, joined)
        change = {ride.carrier: new, ride.rider: sympy.S.Zero}
        expressions[ride.expression] = expressions[ride.expression].xreplace(change)
    used = set().union(*(expression.free_symbols for expression in expressions))
    operators = tuple(dict.fromkeys(meaning[s][1] for s in sorted(used & set(meaning), key=str)))
    final = {
        s: (field, operators.index(terms)) for s, (field, terms) in meaning.items() if s in used
    }
    renamed = {s: symbol(f"{field}__op{number}") for s, (field, number) in final.items()}
    expressions = [expression.xreplace(renamed) for expression in expressions]
    partials = {
        partial.orders
        for s in used - set(meaning)
        if (partial := partial_of(s.name, fields, coordinates)) is not None
    }
    names = {f"{field}__op{number}": (field, number) for field, number in final.values()}
    return Collapsed(expressions, partials, operators, names)
