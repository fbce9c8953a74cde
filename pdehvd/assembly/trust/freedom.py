"""Unknowns and coefficients that can be changed together while all equations still hold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from pdehvd.assembly.trust.field_ranges import TINY
from pdehvd.assembly.trust.plausible_values import Plausible, columns_of, evaluated, items_of
from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import symbol
from pdehvd.problems.block import Block
from pdehvd.problems.pde_problem import PDEProblem

# Singular values below this are zero; share of the largest part of a direction that counts.
_ZERO, _SHARE = 1e-9, 0.1
# Rows of a residual that show whether its derivatives are dependent.
_ROWS = 64
_SEED = 20_261


@dataclass(frozen=True)
class Freedom:
    """Unknowns and coefficient fields that can be changed together while all terms still hold.

    Where their residuals do not change at all, `terms` is empty. Otherwise the residuals of
    `terms` are only multiplied by a factor, by the same factor as all `names` if these are
    `proportional`; `vanishing` ones hold for any other fields where `names` are zero.
    Where the `names` are `distinct`, terms vanish with them but nothing else is free.
    """

    names: tuple[str, ...]
    terms: tuple[str, ...] = ()
    proportional: bool = False
    vanishing: bool = False
    distinct: bool = False


def freedom(problem: PDEProblem, names: Plausible, coefficients: Collection[str]) -> Freedom | None:
    """Return what the equations and conditions leave free, None where that is nothing.

    `coefficients` are fields that only multiply others. Let D_j R be the derivatives of a residual
    by the logarithms of unknowns, and of factors of coefficients. A direction a, for which
    sum_j a_j D_j R = d R at any fields, with one number d for each residual, leaves all of them
    zero where they are so. The numbers a and d are found by linear algebra at random fields.
    """
    inside = {str(s) for own in problem.hard.values() for s in own.free_symbols}
    free = [u.name for u in problem.unknowns if u.name not in inside] + sorted(coefficients)
    laws = [
        _Law(term.short, expression, factors)
        for block in problem.blocks
        for term in block.terms
        for expression in term.expressions
        if (factors := _factors(names, block, expression, free)) is not None
    ]
    for group in _groups(free, laws):
        own = [law for law in laws if law.factors.keys() & set(group)]
        found = _unchanged(group, own) or _multiplied(problem, group, own)
        if found:
            return found
    return next((f for law in laws if (f := _trivial(problem, law, laws))), None)


@dataclass(frozen=True)
class _Law:
    """A residual: `factors` are its derivatives [n] by the logarithm of each name that it holds.

    The residual itself, [n], stands under an empty name.
    """

    term: str
    expression: sympy.Expr
    factors: dict[str, np.ndarray]


def _factors(
    names: Plausible, block: Block, expression: sympy.Expr, free: Sequence[str]
) -> dict[str, np.ndarray] | None:
    """Return what a law holds of the free names; None where it holds none of them."""
    problem = names.problem
    slopes = {name: _log_slope(problem, expression, name) for name in free}
    slopes = {name: slope for name, slope in slopes.items() if slope != 0}
    if not slopes:
        return None
    random = np.random.default_rng(_SEED)
    items = items_of(block)
    rows = np.resize(np.arange(len(items.x)), max(len(items.x), _ROWS))
    columns = {n: v[rows] if v.ndim else v for n, v in columns_of(problem, items).items()}
    # Anywhere near the first guesses: at zero, derivatives may vanish by chance.
    for unknown in problem.unknowns:
        columns[unknown.name] = np.asarray((unknown.initial or 1.0) * random.uniform(0.5, 1.5))
    for name in names.partials([expression]):
        size = names.size(name)
        low, high = names.ranges.get(name, (-size, size))
        more = size / 2 if high - low < size / 10 else 0.0
        columns[name] = random.uniform(low - more, high + more, len(rows))
    try:
        values = evaluated([*slopes.values(), expression], columns)
        table = np.stack([np.broadcast_to(own, len(rows)) for own in values], 1)
    except (ConfigError, ValueError, TypeError):
        return None
    table = table[np.isfinite(table).all(1)]
    largest = np.abs(table).max(initial=0)
    return dict(zip([*slopes, ""], table.T / largest, strict=True)) if largest else None


def _log_slope(problem: PDEProblem, expression: sympy.Expr, name: str) -> sympy.Expr:
    """Return the derivative of an expression by the logarithm of an unknown, or of a factor."""
    if name not in problem.fields:
        return symbol(name) * expression.diff(symbol(name))
    own = [s for s, partial in problem.partials(expression).items() if partial.field == name]
    return sympy.Add(*(s * expression.diff(s) for s in own))


def _groups(free: Sequence[str], laws: Sequence[_Law]) -> list[list[str]]:
    """Return the names in groups that laws join."""
    groups: list[set[str]] = []
    for law in laws:
        own = {name for name in law.factors if name}
        joined = [group for group in groups if group & own]
        groups = [group for group in groups if not group & own] + [own.union(*joined)]
    return [[name for name in free if name in group] for group in groups]


def _unchanged(group: Sequence[str], laws: Sequence[_Law]) -> Freedom | None:
    """Return the names of a group that can be changed while no residual changes."""
    direction = _null([_block(group, [], law) for law in laws])
    return None if direction is None else Freedom(_taking_part(group, *direction))


def _multiplied(problem: PDEProblem, group: Sequence[str], laws: Sequence[_Law]) -> Freedom | None:
    """Return the names of a group that can be changed while residuals only get factors."""
    direction = _null([_block(group, laws, law) for law in laws])
    if direction is None:
        return None
    names = _taking_part(group, *direction)
    parts = [direction[1][group.index(name)] for name in names]
    held = [law for law in laws if law.factors.keys() & set(names)]
    vanishing = all(_vanishes(problem, law, names) for law in held)
    proportional = bool(np.ptp(parts) < _SHARE * np.abs(parts).max())
    return Freedom(names, _terms(problem, held, names), proportional, vanishing)


def _terms(problem: PDEProblem, laws: Sequence[_Law], names: Collection[str]) -> tuple[str, ...]:
    """Return the terms of laws, of those that hold other fields as well where there are any."""
    others = [
        law
        for law in laws
        if any(p.field not in names for p in problem.partials(law.expression).values())
    ]
    return tuple(dict.fromkeys(law.term for law in others or laws))


def _block(group: Sequence[str], laws: Sequence[_Law], law: _Law) -> np.ndarray:
    """Return the rows of one law: columns of the names of a group and of the residuals of laws."""
    none = np.zeros(len(law.factors[""]))
    own = [law.factors.get(name, none) for name in group]
    return np.stack([*own, *(law.factors[""] if law is other else none for other in laws)], 1)


def _null(blocks: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a direction in which nothing changes, by effects and by names; None without one."""
    matrix = np.concatenate(blocks)
    lengths = np.linalg.norm(matrix, axis=0)
    if not lengths.all():
        return None
    few = len(matrix) < matrix.shape[1]
    _, values, directions = np.linalg.svd(matrix / lengths, full_matrices=few)
    if len(values) == matrix.shape[1] and values[-1] > _ZERO * values[0]:
        return None
    return directions[-1], directions[-1] / lengths


def _taking_part(group: Sequence[str], *directions: np.ndarray) -> tuple[str, ...]:
    """Return the names with a share in a direction, by effects or by names."""
    sizes = np.abs([direction[: len(group)] for direction in directions])
    shares = (sizes / np.maximum(sizes.max(1, keepdims=True), TINY)).max(0)
    return tuple(name for name, share in zip(group, shares, strict=True) if share > _SHARE)


def _trivial(problem: PDEProblem, law: _Law, laws: Sequence[_Law]) -> Freedom | None:
    """Return the names of a law that, where they are zero, make it hold for any fields."""
    names = tuple(name for name in law.factors if name)
    held = [other for other in laws if other.factors.keys() & set(names)]
    if not all(_vanishes(problem, other, names) for other in held):
        return None
    return Freedom(names, _terms(problem, held, names), vanishing=True, distinct=True)


def _vanishes(problem: PDEProblem, law: _Law, names: Collection[str]) -> bool:
    """Return whether a residual is zero at any other fields where some names are."""
    partials = problem.partials(law.expression)
    own = [s for s, partial in partials.items() if partial.field in names]
    rest = law.expression.subs(dict.fromkeys([*own, *(symbol(n) for n in names)], 0))
    return bool(rest == 0)
