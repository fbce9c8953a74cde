"""Residuals of the parts of each term against the sizes that their summands have in the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import sympy

from pdehvd.assembly.trust.plausible_values import Plausible, rms
from pdehvd.errors import ConfigError
from pdehvd.objectives.batches import to_points
from pdehvd.objectives.objective import PDEObjective
from pdehvd.objectives.point_law import PointLaw
from pdehvd.problems.block import Block, Source, Term, make_block
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.sequences import Sobol
from pdehvd.problems.sources import RegionSource
from pdehvd.training.state import TrainState

_REGION_POINTS, _ITEMS = 512, 2000


@dataclass(frozen=True)
class PartResidual:
    """One expression of a term with the fields that it holds: its residual, and its natural size.

    The size is that of its largest summand, for the trained fields at the points of the term and,
    for a condition, at points inside, or for plausible fields where these are larger.
    """

    term: str
    fields: tuple[str, ...]
    residual: float
    size: float


def part_residuals(
    names: Plausible, objective: PDEObjective, state: TrainState
) -> tuple[PartResidual, ...]:
    """Return the residual and the size of each part of equations and conditions, data left out."""
    problem = objective.problem
    parts = [
        (block, term, expression)
        for block in problem.blocks
        for term in block.terms
        for expression in term.expressions
        if not term.name.startswith("data/")
    ]
    blocks = [
        _block(problem, _spread(problem, block.source), (expression, *_summands(names, expression)))
        for block, _, expression in parts
    ]
    source = _spread(problem, problem.interior)
    inside = [
        _block(problem, source, [_unplaced(problem, s) for s in _summands(names, expression)])
        for _, _, expression in parts
    ]
    values = _values(objective, state, [*blocks, *inside])
    result = []
    for i, (block, term, expression) in enumerate(parts):
        own, within = values[i], values[len(parts) + i]
        size = max(*own[1:], *within, _plausible(names, block, expression))
        result.append(PartResidual(term.name, _fields(problem, expression), own[0], size))
    return tuple(result)


def _summands(names: Plausible, expression: sympy.Expr) -> tuple[sympy.Expr, ...]:
    """Return the summands of an expression; a common factor of a sum is multiplied out."""
    return names.summands(sympy.expand_mul(expression))


def _fields(problem: PDEProblem, expression: sympy.Expr) -> tuple[str, ...]:
    held = {partial.field for partial in problem.partials(expression).values()}
    return tuple(field for field in problem.fields if field in held)


def _spread(problem: PDEProblem, source: Source) -> Source:
    """Return a source of few points from all pieces of a region; others as they are."""
    if not isinstance(source, RegionSource):
        return source
    sampler = Sobol(0)
    count = problem.domain.count(source.region, _REGION_POINTS, sampler)
    return replace(source, sampler=sampler, count=count, candidates=0)


def _unplaced(problem: PDEProblem, expression: sympy.Expr) -> sympy.Expr:
    """Return an expression with 1 for what only the points of its condition have, as normals."""
    known = {*problem.coordinates, *(unknown.name for unknown in problem.unknowns)}
    free = expression.free_symbols - problem.partials(expression).keys()
    return expression.subs({one: 1 for one in free if one.name not in known})


def _block(problem: PDEProblem, source: Source, expressions: Sequence[sympy.Expr]) -> Block:
    terms = [Term("part", tuple(expressions))]
    return make_block("part", source, terms, problem.language, problem.hard)


def _values(
    objective: PDEObjective, state: TrainState, blocks: Sequence[Block]
) -> list[list[float]]:
    """Return the root mean square of each expression of each block."""
    law = PointLaw(replace(objective.problem, blocks=tuple(blocks)), objective.network)
    batch = [
        to_points(block.source.items(0, 0, min(block.count, _ITEMS)), objective.dtype)
        for block in blocks
    ]
    columns = [own for own in law.residuals(state.theta, batch) if own is not None]
    return [[rms(one) for one in own.numpy().astype(np.float64).T] for own in columns]


def _plausible(names: Plausible, block: Block, expression: sympy.Expr) -> float:
    try:
        return names.term_size(block, expression)
    except ConfigError:
        return 0.0
