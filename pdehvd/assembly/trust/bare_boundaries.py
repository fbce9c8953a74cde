"""Parts of the boundary on which an equation of second order has no condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy

from pdehvd.assembly.trust.boundary_points import (
    ACROSS,
    BoundaryPart,
    BoundaryPoints,
    boundary_parts,
    holds,
    on_boundary,
)
from pdehvd.assembly.trust.counted_conditions import held, orders
from pdehvd.assembly.trust.field_ranges import TINY, raw_range
from pdehvd.assembly.trust.plausible_values import Plausible, evaluated, items_of, rms
from pdehvd.errors import ConfigError
from pdehvd.problems.block import Block
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.periodic import PeriodicSource

# Share of a part without a condition that is reported, and that counts as the whole part.
_SOME, _ALL = 0.02, 0.98
# A hard form that grows less with the network, relative to its largest growth, fixes the field.
_FIXED = 1e-3
# A residual so many times larger than elsewhere has a coefficient that is infinite there.
_INFINITE = 1e9
# Values at so few points are conditions, at more of them they are data.
_FEW = 3


@dataclass(frozen=True)
class BarePart:
    """A part of the boundary, the share of it without a condition, and one point [D] there."""

    name: str
    share: float
    point: np.ndarray

    @property
    def whole(self) -> bool:
        """Whether all of it has no condition."""
        return self.share > _ALL


def bare_parts(
    problem: PDEProblem, names: Plausible, periodic: Mapping[str, object]
) -> dict[str, list[BarePart]]:
    """Return the parts of the boundary in space that lack a condition, by field.

    A field with second derivatives across the boundary needs a condition at each of its points,
    unless those of all fields together suffice there, the opposite face has as many as the order,
    a hard form fixes the field, the equation degenerates across the boundary (as r u_rr + u_r at
    r = 0), or values inside the domain are measured. Systems of more equations than fields have
    equations that follow from others, and are left out.
    """
    domain = problem.domain
    judged = _Judged(problem, names, periodic)
    overdetermined = len(judged.equations) > len(problem.fields)
    if not domain.space or len(domain.names) == 1 or overdetermined:
        return {}
    parts = list(boundary_parts(domain)) if judged.second else []
    found: dict[str, list[BarePart]] = {}
    for field in judged.second:
        if _is_measured(problem, field) or not _is_held(problem, field):
            continue
        bare = [one for part in parts if (one := judged.bare(field, part))]
        named = [one for one in bare if one.name != "boundary"]
        if bare:
            found[field] = named or bare
    return found


def _is_held(problem: PDEProblem, field: str) -> bool:
    """Return whether any condition or hard form contains a field; else another warning says so."""
    return field in problem.hard or field in _fields(problem, *problem.blocks[1:])


def _fields(problem: PDEProblem, *blocks: Block) -> set[str]:
    return {partial.field for _, partial in held(problem, blocks)}


def _is_measured(problem: PDEProblem, field: str) -> bool:
    """Return whether values of a field inside the domain are given, at more than one instant."""
    time = problem.domain.time
    for block in problem.blocks[1:]:
        pairs = isinstance(block.source, PeriodicSource) or block.source.points_per_item > 1
        few = on_boundary(block) or pairs or block.count <= _FEW
        if few or field not in _fields(problem, block):
            continue
        x = items_of(block).x
        if time is None or np.ptp(x[:, problem.coordinates.index(time)]) > 0:
            return True
    return False


@dataclass(frozen=True)
class _Judged:
    """A problem whose boundary is judged; `periodic` are coordinates of the network's features."""

    problem: PDEProblem
    names: Plausible
    periodic: Mapping[str, object]

    @cached_property
    def equations(self) -> list[sympy.Expr]:
        """The residuals of the equations."""
        return [e for term in self.problem.blocks[0].terms for e in term.expressions]

    @cached_property
    def second(self) -> dict[str, dict[int, int]]:
        """Axes in space and orders of derivatives, by fields that have second or higher ones."""
        found: dict[str, dict[int, int]] = {}
        for axis, name in enumerate(self.problem.coordinates):
            if name in self.problem.domain.space:
                for field, order in orders(self.problem, axis).items():
                    if order >= 2:
                        found.setdefault(field, {})[axis] = order
        return {field: found[field] for field in self.problem.fields if field in found}

    def bare(self, field: str, part: BoundaryPart) -> BarePart | None:
        """Return a part of the boundary if a field has no condition on it, or on some of it."""
        if part.axis is not None and part.axis not in self.second[field]:
            return None
        share, place = 0.0, None
        for points in part.points:
            bare = self._bare(field, points, part.axis)
            share += points.weight * int(bare.sum())
            if place is None and bare.any():
                place = points.x[bare][0]
        return BarePart(part.name, share, place) if place is not None and share > _SOME else None

    def _bare(self, field: str, points: BoundaryPoints, axis: int | None) -> np.ndarray:
        """Return at which points a field has no condition but needs one."""
        bare = self._needed(field, points)
        for name in self.periodic.keys() & set(self.problem.coordinates):
            own = self.problem.coordinates.index(name)
            bare &= np.abs(points.normals[:, own]) < 1 - ACROSS
        given, total = (np.zeros(len(points.x), dtype=int) for _ in range(2))
        for block in self.problem.blocks[1:]:
            number = holds(self.problem.domain, block, points) * _residuals(block)
            total += number
            given += number if field in _fields(self.problem, block) else 0
        # One field may stand for another, as the stream function for the vorticity at a wall.
        needing = np.sum([self._needed(one, points) for one in self.second], axis=0)
        bare &= (given == 0) & (total < needing)
        if axis is not None and bare.any():
            opposite = points.mirrored(self.problem.domain.bounds, axis)
            bare &= self._orders(opposite, field, axis) < self.second[field][axis]
        if bare.any():
            bare &= ~self._fixed(field, points.x)
            bare &= ~self._degenerate(field, points)
        return bare

    def _needed(self, field: str, points: BoundaryPoints) -> np.ndarray:
        """Return at which points the equations have second derivatives of a field across."""
        needed: np.ndarray = np.abs(points.normals[:, [*self.second[field]]]).max(1) > ACROSS
        return needed

    def _orders(self, points: BoundaryPoints, field: str, axis: int) -> np.ndarray:
        """Return how many orders of derivatives across a face the conditions of a field give."""
        given: dict[int, np.ndarray] = {}
        for block in self.problem.blocks[1:]:
            here = holds(self.problem.domain, block, points)
            for expression in (e for term in block.terms for e in term.expressions):
                own = self.problem.partials(expression).values()
                if {partial.field for partial in own} == {field}:
                    order = max(partial.orders[axis] for partial in own)
                    given[order] = given.get(order, np.zeros_like(here)) | here
        counts: np.ndarray = np.sum([np.zeros(len(points.x), dtype=int), *given.values()], axis=0)
        return counts

    def _fixed(self, field: str, x: np.ndarray) -> np.ndarray:
        """Return where a hard form gives the field whatever the network is."""
        growth = np.abs(raw_range(self.problem, field, x)[1])
        inside = np.abs(raw_range(self.problem, field, items_of(self.problem.blocks[0]).x)[1])
        largest = float(inside[np.isfinite(inside)].max(initial=TINY))
        fixed: np.ndarray = ~(growth > _FIXED * largest)
        return fixed

    def _degenerate(self, field: str, points: BoundaryPoints) -> np.ndarray:
        """Return where no second derivative across is left, or a coefficient is not finite."""
        count = len(points.x)
        left, certain = np.zeros(count), np.ones(count, dtype=bool)
        for expression in self.equations:
            own = self._across(field, expression, points)
            if not own:
                continue
            columns = self.names.columns(self.problem.blocks[0], [expression])
            at = {n: np.resize(c, count) if np.ndim(c) else c for n, c in columns.items()}
            at |= dict(zip(self.problem.coordinates, points.x.T, strict=True))
            try:
                values = evaluated([expression, *(expression.diff(one) for one, _ in own)], at)
                usual = rms(evaluated([expression], columns)[0])
            except ConfigError:
                return np.ones(count, dtype=bool)
            certain &= np.abs(values[0]) <= _INFINITE * max(usual, TINY)
            for slope, (_, across) in zip(values[1:], own, strict=True):
                left += np.abs(slope) * across
        degenerate: np.ndarray = ~certain | (left == 0)
        return degenerate

    def _across(
        self, field: str, expression: sympy.Expr, points: BoundaryPoints
    ) -> list[tuple[sympy.Symbol, np.ndarray]]:
        """Return the second and higher derivatives of a field, and where they are across."""
        return [
            (symbol, np.abs(points.normals[:, axis]) > ACROSS)
            for symbol, partial in self.problem.partials(expression).items()
            for axis in self.second[field]
            if partial.field == field and partial.orders[axis] >= 2
        ]


def _residuals(block: Block) -> int:
    return sum(len(term.expressions) for term in block.terms)
