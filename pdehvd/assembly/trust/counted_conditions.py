"""How many conditions a problem has for each field, against the orders of its equations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pdehvd.assembly.trust.field_ranges import raw_range
from pdehvd.assembly.trust.plausible_values import Plausible, evaluated, items_of, rms
from pdehvd.errors import ConfigError
from pdehvd.numerics.derivatives import Partial
from pdehvd.numerics.expressions import symbol
from pdehvd.problems.block import Block
from pdehvd.problems.evaluation import evaluation_points
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.periodic import PeriodicSource
from pdehvd.problems.sources import RegionSource

# Places, in domain lengths, that are one; a step from an end at which a hard form is looked at.
_SAME, _STEP = 1e-9, 1e-4
_TINY = 1e-300


def held(problem: PDEProblem, blocks: tuple[Block, ...]) -> Iterator[tuple[Block, Partial]]:
    """Yield each field and derivative in each expression of blocks."""
    for block in blocks:
        for term in block.terms:
            for expression in term.expressions:
                for partial in problem.partials(expression).values():
                    yield block, partial


def orders(problem: PDEProblem, axis: int) -> dict[str, int]:
    """Return the order of each field's highest derivative by a coordinate in the equations.

    A derivative that stands alone, as in k_t = 0, only says that the field is constant.
    """
    result = dict.fromkeys(problem.fields, 0)
    for term in problem.blocks[0].terms:
        for expression in term.expressions:
            if expression.is_Symbol:
                continue
            for partial in problem.partials(expression).values():
                result[partial.field] = max(result[partial.field], partial.orders[axis])
    return result


@dataclass(frozen=True)
class Shortage:
    """A field whose equations are of `order` along a coordinate, with `given` conditions there."""

    field: str
    along: str
    order: int
    given: int


def shortages(
    problem: PDEProblem, names: Plausible, periodic: Mapping[str, object]
) -> list[Shortage]:
    """Return fields with too few conditions at instants, or at places of an ordinary equation.

    Conditions at any instant count, also at the end or measured ones. Where the conditions of all
    fields together suffice, one field may stand for another, as in systems of first order.
    """
    along = problem.domain.time or (problem.coordinates[0] if len(problem.coordinates) == 1 else "")
    if not along or along in periodic:
        return []
    axis = problem.coordinates.index(along)
    if not _regular(problem, names, axis):
        return []
    needed = {field: order for field, order in orders(problem, axis).items() if order}
    given = {field: _given(problem, field, axis) for field in problem.fields}
    if sum(given.values()) >= sum(needed.values()):
        return []
    short = [Shortage(f, along, n, int(given[f])) for f, n in needed.items() if given[f] < n]
    return short


def _given(problem: PDEProblem, field: str, axis: int) -> float:
    """Return how many conditions a field has at fixed places of a coordinate; inf if many."""
    total = _of_hard(problem, field, axis)
    for block in problem.blocks[1:]:
        count = _places(problem, block, axis)
        for term in block.terms:
            for expression in term.expressions:
                if field in {partial.field for partial in problem.partials(expression).values()}:
                    total += count
    return total


def _places(problem: PDEProblem, block: Block, axis: int) -> float:
    """Return at how many places of a coordinate a block lies; 0 on a boundary along it."""
    source = block.source
    ordinary = len(problem.coordinates) == 1
    if isinstance(source, PeriodicSource):
        return math.inf if source.axis == axis else 0
    if source.points_per_item > 1:
        return math.inf
    if isinstance(source, RegionSource) and source.region.oriented and not ordinary:
        return 0
    x = items_of(block).x[:, axis] / np.ptp(problem.domain.bounds[axis])
    return len(np.unique(np.round(x / _SAME)))


def _of_hard(problem: PDEProblem, field: str, axis: int) -> float:
    """Return how many conditions a hard form fulfils at the ends of a coordinate.

    That is the order of the zero there of what the network adds to the field.
    """
    if field not in problem.hard:
        return 0
    if not problem.hard[field].has(symbol("network")):
        return math.inf
    x = evaluation_points(problem.domain, 256)
    low, high = problem.domain.bounds[axis]
    total = 0.0
    for end, inward in ((low, high - low), (high, low - high)):
        sizes = []
        for step in (0.0, _STEP, 2 * _STEP):
            x[:, axis] = end + step * inward
            sizes.append(rms(raw_range(problem, field, x)[1]))
        if sizes[0] <= 1e-3 * sizes[1]:
            total += max(1, round(math.log2(max(sizes[2], _TINY) / max(sizes[1], _TINY))))
    return total


def _regular(problem: PDEProblem, names: Plausible, axis: int) -> bool:
    """Return whether the equations keep their order at both ends of a coordinate.

    Where a coefficient is not finite, or that of the highest derivative vanishes, as in
    r u_rr + u_r at r = 0, a condition follows from the equation itself.
    """
    block = problem.blocks[0]
    for term in block.terms:
        for expression in term.expressions:
            along = {s: p.orders[axis] for s, p in problem.partials(expression).items()}
            top = max(along.values(), default=0)
            highest = [s for s, order in along.items() if order == top > 0]
            try:
                columns = names.columns(block, [expression])
                for end in problem.domain.bounds[axis]:
                    at = {**columns, problem.coordinates[axis]: np.asarray(end)}
                    slopes = [expression.diff(one) for one in highest]
                    values = evaluated([expression, *slopes], at)
                    if not np.isfinite(values[0]).any():
                        return False
                    if any(rms(np.asarray(slope)) == 0 for slope in values[1:]):
                        return False
            except ConfigError:
                return False
    return True


def undetermined(problem: PDEProblem) -> list[tuple[str, ...]]:
    """Return groups of fields whose equations hold derivatives, and that no condition holds.

    A group is joined by equations: the conditions of one of its fields may determine the others.
    """
    groups: list[set[str]] = []
    for term in problem.blocks[0].terms:
        for expression in term.expressions:
            own = {partial.field for partial in problem.partials(expression).values()}
            joined = [group for group in groups if group & own]
            groups = [group for group in groups if not group & own] + [own.union(*joined)]
    differentiated = {p.field for _, p in held(problem, problem.blocks[:1]) if any(p.orders)}
    given = {partial.field for _, partial in held(problem, problem.blocks[1:])} | set(problem.hard)
    return [
        tuple(field for field in problem.fields if field in group)
        for group in groups
        if group & differentiated and not group & given
    ]


def shifted(problem: PDEProblem) -> list[str]:
    """Return fields with conditions on their derivatives only, to which a constant may be added."""
    everywhere = [partial for _, partial in held(problem, problem.blocks[:1])]
    conditions = list(held(problem, problem.blocks[1:]))
    # What is equal on two faces stays so with a constant added to it.
    valued = {
        partial.field
        for block, partial in conditions
        if not any(partial.orders) and not isinstance(block.source, PeriodicSource)
    }
    valued |= {partial.field for partial in everywhere if not any(partial.orders)}
    given = {partial.field for _, partial in conditions}
    return [f for f in problem.fields if f in given - valued - set(problem.hard)]


def unjoined(problem: PDEProblem, periodic: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """Return (field, coordinate, condition) where periodic faces join values of a field only.

    That is too little where the equations hold its second derivatives by that coordinate.
    """
    found = []
    joined = [b for b in problem.blocks[1:] if isinstance(b.source, PeriodicSource)]
    others = tuple(b for b in problem.blocks[1:] if not isinstance(b.source, PeriodicSource))
    for axis, along in enumerate(problem.coordinates):
        own = [b for b in joined if isinstance(b.source, PeriodicSource) and b.source.axis == axis]
        if not own or along in periodic:
            continue
        pairs = list(held(problem, tuple(own)))
        values = {p.field: b.name for b, p in pairs if not any(p.orders)}
        slopes = {p.field for _, p in pairs if p.orders[axis]}
        fixed = {p.field for b, p in held(problem, others) if _at_ends(problem, b, axis)}
        for field, order in orders(problem, axis).items():
            if order > 1 and field in set(values) - slopes - fixed - set(problem.hard):
                found.append((field, along, values[field]))
    return found


def _at_ends(problem: PDEProblem, block: Block, axis: int) -> bool:
    """Return whether a block lies at one place of a coordinate."""
    return block.source.points_per_item > 1 or len(np.unique(items_of(block).x[:, axis])) == 1
