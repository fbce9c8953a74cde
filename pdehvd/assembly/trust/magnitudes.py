"""Sizes that a problem requires, compared with those of a fresh network."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, replace

import numpy as np
import sympy

from pdehvd.assembly.trust.field_ranges import (
    REFERENCE_POINTS,
    TINY,
    FieldSize,
    plausible,
    raw_range,
)
from pdehvd.assembly.trust.plausible_values import Plausible, columns_of, evaluated, items_of, rms
from pdehvd.assembly.trust.source_waves import quickened, source_wave_numbers
from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import partial_of, symbol
from pdehvd.problems.block import Block
from pdehvd.problems.evaluation import evaluation_points
from pdehvd.problems.modes import NORM
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.scale import ScaleSpec
from pdehvd.reference.base import Reference

# Share of the largest effect on a residual that a field must have to be driven by its source.
_LITTLE = 0.03


@dataclass(frozen=True)
class ImposedValues:
    """Values [n] of a field at points [n, D], and where they come from.

    `known` ones are those of the reference, which training does not see.
    """

    field: str
    x: np.ndarray
    values: np.ndarray
    origin: str
    known: bool = False


def imposed_values(problem: PDEProblem, reference: Reference | None) -> list[ImposedValues]:
    """Return all values that conditions, data and the reference give for the fields."""
    found = [value for block in problem.blocks[1:] for value in _of_block(problem, block)]
    if reference is not None:
        points = evaluation_points(problem.domain, REFERENCE_POINTS)
        for field, values in reference(points).items():
            known = np.isfinite(values)
            if known.any() and field not in reference.up_to_constant:
                found.append(
                    ImposedValues(field, points[known], values[known], "the reference", True)
                )
    return found


def _of_block(problem: PDEProblem, block: Block) -> Iterator[ImposedValues]:
    """Yield the values v of residuals a f - g with v = g/a, f a field and a a number."""
    if block.source.points_per_item > 1:
        return
    items = items_of(block)
    columns = columns_of(problem, items)
    for term in block.terms:
        for expression in term.expressions:
            field, value = solve_for_value(problem, expression)
            if field not in problem.fields or value is None:
                continue
            try:
                values = np.broadcast_to(evaluated([value], columns)[0], len(items.x))
            except ConfigError:
                # A value at zero that is not a number, as of 1/u.
                continue
            known = np.isfinite(values)
            if known.any():
                origin = f"`{term.name.split('/')[-1]}`"
                yield ImposedValues(field, items.x[known], values[known], origin)


def solve_for_value(problem: PDEProblem, expression: sympy.Expr) -> tuple[str, sympy.Expr | None]:
    """Return the field or derivative that an expression gives a value, and the value.

    An empty name and None where it holds several of them, or one in another way.
    """
    partials = list(problem.partials(expression))
    if len(partials) != 1:
        return "", None
    (unknown,) = partials
    rest = expression.subs(unknown, 0)
    factor = sympy.expand(expression - rest).coeff(unknown)
    if not factor.is_number or factor == 0 or sympy.expand(expression - rest - factor * unknown):
        return "", None
    return unknown.name, -rest / factor


def field_sizes(problem: PDEProblem, imposed: list[ImposedValues]) -> dict[str, FieldSize]:
    """Return what is known of each field that anything is known of."""
    sizes = {}
    for field in problem.fields:
        # The versions of a field in several subdomains have one size.
        siblings = problem.subdomains.siblings(field)
        own = [entry for entry in imposed if entry.field in siblings]
        if own:
            sizes[field] = _field_size(problem, field, own)
    open_fields = {f for f in problem.fields if f not in sizes or sizes[f].largest == 0}
    names = plausible(problem, sizes, formed=False)
    normed = _normed(problem)
    known = {
        f: _estimated(problem, f, 1.0, NORM) if f in normed else _driven(names, f, open_fields)
        for f in problem.fields
        if f in open_fields
    }
    single = {f: size for f, size in sizes.items() if size.single and f not in problem.hard}
    if single:
        others = {f: size for f, size in sizes.items() if f not in single}
        names = plausible(problem, others, formed=False)
    around = {f: _driven(names, f, open_fields | single.keys()) for f in single}
    return (
        sizes
        | {f: size for f, size in known.items() if size is not None}
        | {f: replace(single[f], deviation=own.high) for f, own in around.items() if own}
    )


def _driven(names: Plausible, field: str, open_fields: Set[str]) -> FieldSize | None:
    """Return the size that sources and fluxes give a field of which only zeros are known.

    In a residual a L u - g it is |g| over what L adds for a field of size 1 that oscillates as
    fast as g. Fields that stand together, such as the displacements of a body, are taken to have
    one size.
    """
    problem, found = names.problem, []
    for block in problem.blocks:
        for term in block.terms:
            for expression in term.expressions:
                if solve_for_value(problem, expression)[0] == field:
                    # It gives the value itself.
                    continue
                share = _share(names, block, expression, field, open_fields)
                if share > 0:
                    found.append((share, term.short))
    if not found:
        return None
    return _estimated(problem, field, *max(found))


def _normed(problem: PDEProblem) -> set[str]:
    """Return the fields whose size is 1 by the norm of a mode."""
    if not problem.up_to_sign:
        return set()
    terms = [term for block in problem.blocks if block.name == NORM for term in block.terms]
    return {
        partial.field
        for term in terms
        for expression in term.expressions
        for partial in problem.partials(expression).values()
    }


def _estimated(problem: PDEProblem, field: str, size: float, origin: str) -> FieldSize:
    x = evaluation_points(problem.domain, REFERENCE_POINTS)
    reach = max(rms(raw_range(problem, field, x)[1]), TINY)
    return FieldSize(
        field, 0.0, size, size / reach, size, f"`{origin}`", field in problem.hard, True
    )


def _share(
    names: Plausible, block: Block, expression: sympy.Expr, field: str, open_fields: Set[str]
) -> float:
    """Return the size that a residual gives a field, 0 where it holds known ones or no source."""
    partials = names.partials([expression])
    held = {name: _field_of(names.problem, name) for name in partials}
    if block.source.points_per_item > 1 or not {field} <= set(held.values()) <= open_fields:
        return 0.0
    free = expression.subs({symbol(name): 0 for name in partials})
    try:
        columns = columns_of(names.problem, items_of(block))
        source = rms(evaluated([free], columns)[0])
        numbers = source_wave_numbers(names.problem, free, columns)
        effects = {
            name: effect * quickened(names.problem, name, numbers)
            for name, effect in names.effects(block, expression).items()
        }
    except ConfigError:
        return 0.0
    # A condition such as a T_n + b (T - 300) = 0 lets the field settle at its source.
    rests = block is not names.problem.blocks[0] and field in effects
    own = max(abs(effect) for name, effect in effects.items() if held[name] == field)
    added = abs(effects[field]) if rests else max(abs(effect) for effect in effects.values())
    # A field that adds little is not what balances the source.
    return source / added if added and own > _LITTLE * added else 0.0


def _field_of(problem: PDEProblem, name: str) -> str:
    partial = partial_of(name, problem.fields, problem.coordinates)
    return "" if partial is None else partial.field


def _field_size(problem: PDEProblem, field: str, own: list[ImposedValues]) -> FieldSize:
    values = np.concatenate([entry.values for entry in own])
    base, reach = raw_range(problem, field, np.concatenate([entry.x for entry in own]))
    inside = evaluation_points(problem.domain, REFERENCE_POINTS)
    everywhere, span = raw_range(problem, field, inside)
    away, most = rms(values - base), max(rms(reach), TINY)
    # Where a construction fixes the values, nothing is left for the network to give there.
    fixed = rms(reach) < 1e-6 * max(rms(span), TINY)
    largest = max(np.abs(values).max(), np.abs(everywhere[np.isfinite(everywhere)]).max(initial=0))
    origin = max(own, key=lambda entry: float(np.abs(entry.values).max())).origin
    return FieldSize(
        field,
        float(values.min()),
        float(values.max()),
        0.0 if fixed else away / most,
        float(largest),
        origin,
        field in problem.hard,
    )


@dataclass(frozen=True)
class TermSize:
    """The root mean square residual that a term would have if nothing cancelled, and its weight.

    `parts` are the sizes of its expressions, `divisor` is the least number that `scale` divides
    them by.
    """

    name: str
    parts: tuple[float, ...]
    weight: float
    divisor: float = 1.0

    @property
    def size(self) -> float:
        """The size of its largest expression."""
        return max(self.parts)

    @property
    def short(self) -> str:
        """The name of the term without its section."""
        return self.name.split("/")[-1]

    @property
    def strength(self) -> float:
        """The weight with what `scale` adds to it."""
        if self.divisor == 1:
            return self.weight
        return self.weight * max(self.size, 1 / self.divisor) ** 2


def term_sizes(
    problem: PDEProblem, names: Plausible, weights: np.ndarray, scale: ScaleSpec
) -> tuple[TermSize, ...]:
    """Return the sizes of all terms, without those that cannot be determined."""
    sizes = []
    weight = iter(weights)
    for block in problem.blocks:
        for term in block.terms:
            own = float(next(weight))
            try:
                parts = tuple(names.term_size(block, one) for one in term.expressions)
            except ConfigError:
                continue
            sizes.append(TermSize(term.name, parts, own, min(scale.divisors(term))))
    return tuple(sizes)
