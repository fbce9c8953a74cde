"""What a problem leaves open: solutions that are zero, coefficients that nothing fixes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from pdehvd.assembly.trust.plausible_values import columns_of, evaluated, items_of
from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import symbol
from pdehvd.problems.block import Block
from pdehvd.problems.pde_problem import PDEProblem

_ZERO = 1e-12
# Raw outputs of the network among which one makes a field zero, if it can be.
_OUTPUTS = (0.0, -60.0, 60.0)


@dataclass(frozen=True)
class Determined:
    """What zero fields satisfy, and which fields stand in products with others alone.

    `zero_solves` says whether zero is possible and satisfies all equations, `against_zero` names
    the terms that it violates: all others hold for it too. `coefficients` are fields in no
    condition that only multiply others, each with the equation that it stands in. `levels` are
    fields in no condition of which the equations hold derivatives only: a constant may be added.
    `unused` are fields that the network gives and no term of the loss holds.
    """

    zero_solves: bool
    against_zero: tuple[str, ...]
    coefficients: dict[str, str]
    levels: tuple[str, ...]
    unused: tuple[str, ...]


def determined(problem: PDEProblem) -> Determined:
    """Return what a problem leaves open."""
    violated = [
        name.split("/")[-1]
        for block in problem.blocks[1:]
        for name in _violated_by_zero(problem, block)
    ]
    solves = _can_vanish(problem) and not _violated_by_zero(problem, problem.blocks[0])
    return Determined(
        solves, tuple(violated), _coefficients(problem), _levels(problem), _unused(problem)
    )


def _violated_by_zero(problem: PDEProblem, block: Block) -> list[str]:
    """Return the terms of a block that do not hold for zero fields, or cannot be decided."""
    columns = columns_of(problem, items_of(block))
    terms = []
    for term in block.terms:
        zero = [_without(problem, expression) for expression in term.expressions]
        try:
            values = evaluated(zero, columns)
        except ConfigError:
            values = [np.array([np.nan])]
        k = block.source.points_per_item
        sums = [np.broadcast_to(v, len(items_of(block).x)).reshape(-1, k).sum(1) for v in values]
        if not all(np.abs(own).max(initial=0) < _ZERO for own in sums):
            terms.append(term.name)
    return terms


def _fields(problem: PDEProblem, expression: sympy.Expr) -> set[str]:
    """Return the fields of which an expression holds values or derivatives."""
    return {partial.field for partial in problem.partials(expression).values()}


def _without(problem: PDEProblem, expression: sympy.Expr, kept: str | None = None) -> sympy.Expr:
    """Return an expression where all fields but one, and their derivatives, are zero."""
    partials = problem.partials(expression)
    return expression.subs({free: 0 for free, own in partials.items() if own.field != kept})


def _can_vanish(problem: PDEProblem) -> bool:
    """Return whether some output of the network makes every field zero."""
    x = items_of(problem.blocks[0]).x
    columns = dict(zip(problem.coordinates, x.T, strict=True))
    columns |= {u.name: np.asarray(u.initial) for u in problem.unknowns}
    for expression in problem.hard.values():
        outputs = (
            evaluated([expression], {**columns, "network": np.asarray(n)})[0] for n in _OUTPUTS
        )
        if not any(np.abs(values).max() < _ZERO for values in outputs):
            return False
    return True


def _held(problem: PDEProblem, blocks: Sequence[Block]) -> set[str]:
    """Return the fields that the terms of some blocks hold."""
    return {
        field
        for block in blocks
        for term in block.terms
        for expression in term.expressions
        for field in _fields(problem, expression)
    }


def _unused(problem: PDEProblem) -> tuple[str, ...]:
    """Return the fields in no term that the network gives, as they are or by `hard`."""
    held = _held(problem, problem.blocks)
    return tuple(field for field in _trained(problem) if field not in held)


def _trained(problem: PDEProblem) -> list[str]:
    """Return the fields that the network gives; by `hard`, others are given without it."""
    output = symbol("network")
    return [f for f in problem.fields if problem.hard.get(f, output).has(output)]


def _levels(problem: PDEProblem) -> tuple[str, ...]:
    """Return fields in no condition that the equations hold by their derivatives only."""
    names = {
        free.name
        for term in problem.blocks[0].terms
        for expression in term.expressions
        for free in problem.partials(expression)
    }
    free = set(problem.fields) - _held(problem, problem.blocks[1:]) - names - set(problem.hard)
    return tuple(field for field in problem.fields if field in free)


def _coefficients(problem: PDEProblem) -> dict[str, str]:
    """Return fields in no condition that stand in equations as factors of others alone."""
    held = _held(problem, problem.blocks[1:])
    found = {}
    for field in _trained(problem):
        if field in held:
            continue
        coupled = [
            (term.name, expression)
            for term in problem.blocks[0].terms
            for expression in term.expressions
            if {field} < _fields(problem, expression)
        ]
        # What stays where the others are zero must not hold the field any more.
        alone = [_without(problem, expression, field) for _, expression in coupled]
        if coupled and not any(field in _fields(problem, rest) for rest in alone):
            found[field] = coupled[0][0].split("/")[-1]
    return found
