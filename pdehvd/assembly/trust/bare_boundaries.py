"""Parts of the boundary on which an equation of second order has no condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy

from pdehvd.assembly.trust.counted_conditions import orders
from pdehvd.assembly.trust.field_ranges import TINY, raw_range
from pdehvd.assembly.trust.plausible_values import Plausible, evaluated, items_of, rms
from pdehvd.errors import ConfigError
from pdehvd.numerics.derivatives import Partial
from pdehvd.problems.block import Block
from pdehvd.problems.pde import PDEProblem
from pdehvd.problems.periodic import PeriodicSource
from pdehvd.problems.pieces import Piece
from pdehvd.problems.regions import Region
from pdehvd.problems.sequences import Sobol
from pdehvd.problems.sources import RegionSource

# Points of a part of the boundary that are judged, and at least so many of each of its pieces.
_JUDGED, _LEAST = 512, 64
# Share of a part without a condition that is reported, and that is all of it.
_SOME, _ALL = 0.02, 0.98
# Share of a hard form's largest growth with the network that is none.
_FIXED = 1e-3
# A residual so many times larger than elsewhere has a coefficient that is infinite there.
_INFINITE = 1e9
# Values at so few points are conditions, at more of them they are data.
_FEW = 3
# Rounding of places, as a part of the domain's length; of components of normals.
_SAME, _ACROSS = 1e-9, 1e-6


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
    laws = [e for term in problem.blocks[0].terms for e in term.expressions]
    if not domain.space or len(domain.names) == 1 or len(laws) > len(problem.fields):
        return {}
    along = {a: orders(problem, a) for a in range(len(domain.names)) if _in_space(problem, a)}
    second = {f: {a: own[f] for a, own in along.items() if own[f] >= 2} for f in problem.fields}
    second = {field: axes for field, axes in second.items() if axes}
    judged = _Judged(problem, names, periodic, second)
    parts = [_Part(*part) for part in _parts(problem)] if second else []
    found: dict[str, list[BarePart]] = {}
    for field in second:
        if _is_measured(problem, field) or not _is_held(problem, field):
            continue
        bare = [one for part in parts if (one := judged.bare(field, part))]
        named = [one for one in bare if one.name != "boundary"]
        if bare:
            found[field] = named or bare
    return found


def _in_space(problem: PDEProblem, axis: int) -> bool:
    return problem.coordinates[axis] in problem.domain.space


def _parts(problem: PDEProblem) -> Iterator[tuple[str, Region, int | None]]:
    """Yield names and regions of parts that make up the boundary; of faces of a box, the axis."""
    domain = problem.domain
    frame = domain.frame
    for axis, name in enumerate(domain.names):
        if name in domain.space and axis not in frame.columns:
            for end in domain.bounds[axis].tolist():
                yield f"{name} = {end:g}", domain.region(f"{name} = {end!r}"), axis
    for name in (*domain.boundaries, "boundary") if frame.shape is not None else ():
        try:
            yield name, domain.region(name), None
        except ConfigError:
            # The boundary of a part may lie inside of others, where nothing is left of it.
            continue


def _is_held(problem: PDEProblem, field: str) -> bool:
    """Return whether any condition or hard form contains a field; else another warning says so."""
    return field in problem.hard or any(_partials(problem, b, field) for b in problem.blocks[1:])


def _partials(problem: PDEProblem, block: Block, field: str) -> list[Partial]:
    """Return the derivatives of a field in the residuals of a block."""
    return [
        partial
        for term in block.terms
        for expression in term.expressions
        for partial in problem.partials(expression).values()
        if partial.field == field
    ]


def _is_measured(problem: PDEProblem, field: str) -> bool:
    """Return whether values of a field inside the domain are given, at more than one instant."""
    time = problem.domain.time
    for block in problem.blocks[1:]:
        source = block.source
        oriented = isinstance(source, RegionSource) and source.region.oriented
        pairs = isinstance(source, PeriodicSource) or source.points_per_item > 1
        if oriented or pairs or block.count <= _FEW or not _partials(problem, block, field):
            continue
        x = items_of(block).x
        if time is None or np.ptp(x[:, problem.coordinates.index(time)]) > 0:
            return True
    return False


@dataclass(frozen=True)
class _Drawn:
    """Points of a piece of the boundary with normals, [N, D] each, and the share of each."""

    piece: Piece
    x: np.ndarray
    normals: np.ndarray
    weight: float

    def mirrored(self, bounds: np.ndarray, axis: int) -> _Drawn:
        """Return the same points on the opposite face of a box."""
        x = self.x.copy()
        x[:, axis] = bounds[axis].sum() - x[:, axis]
        return _Drawn(self.piece, x, -self.normals, self.weight)


@dataclass(frozen=True)
class _Part:
    """A part of the boundary; `axis` is that of a face of a box."""

    name: str
    region: Region
    axis: int | None

    @cached_property
    def drawn(self) -> list[_Drawn]:
        """Points of each piece, more on larger ones."""
        found = []
        for piece, share in zip(self.region.pieces, self.region.shares(_JUDGED), strict=True):
            count = max(share, _LEAST)
            points = piece.draw(Sobol(3), count, 0, count, (0,))
            assert points.normals is not None
            weight = piece.measure / self.region.measure / count
            found.append(_Drawn(piece, points.x, points.normals, weight))
        return found


def _belongs(problem: PDEProblem, piece: Piece, drawn: _Drawn) -> np.ndarray:
    """Return which points of the boundary lie in a piece of a condition's region."""
    frame, lengths = problem.domain.frame, np.ptp(problem.domain.bounds, axis=1)
    inside = np.ones(len(drawn.x), dtype=bool)
    if piece.surface is None:
        if piece.normal is None or drawn.piece.surface is not None:
            return ~inside
        inside &= np.abs(drawn.normals - piece.normal).max(1) < _ACROSS
    elif piece.leaf is not drawn.piece.leaf:
        return ~inside
    for axis, (low, high) in enumerate(piece.box):
        # What limits the coordinates of a shape is in `keep`, but for a plane that is chosen.
        if piece.surface is not None and axis in piece.columns and high > low:
            continue
        slack = frame.reach(axis) if axis in piece.columns else _SAME * lengths[axis]
        inside &= (drawn.x[:, axis] >= low - slack) & (drawn.x[:, axis] <= high + slack)
    return inside if piece.keep is None else inside & piece.keep(drawn.x)


def _holds(problem: PDEProblem, block: Block, drawn: _Drawn) -> np.ndarray:
    """Return at which points of the boundary the residuals of a block hold."""
    source = block.source
    if isinstance(source, PeriodicSource):
        joined: np.ndarray = np.abs(drawn.normals[:, source.axis]) > 1 - _ACROSS
        return joined
    here = np.zeros(len(drawn.x), dtype=bool)
    if isinstance(source, RegionSource) and source.region.oriented:
        for piece in source.region.pieces:
            here |= _belongs(problem, piece, drawn)
    return here


@dataclass(frozen=True)
class _Judged:
    """A problem; `second` has the axes with second derivatives, and their orders, by field."""

    problem: PDEProblem
    names: Plausible
    periodic: Mapping[str, object]
    second: Mapping[str, Mapping[int, int]]

    def bare(self, field: str, part: _Part) -> BarePart | None:
        """Return a part of the boundary if a field has no condition on it, or on some of it."""
        if part.axis is not None and part.axis not in self.second[field]:
            return None
        share, point = 0.0, None
        for drawn in part.drawn:
            bare = self._bare(field, drawn, part.axis)
            share += drawn.weight * int(bare.sum())
            if point is None and bare.any():
                point = drawn.x[bare][0]
        return BarePart(part.name, share, point) if point is not None and share > _SOME else None

    def _bare(self, field: str, drawn: _Drawn, axis: int | None) -> np.ndarray:
        """Return at which points a field has no condition but needs one."""
        axes = sorted(self.second[field])
        bare: np.ndarray = np.abs(drawn.normals[:, axes]).max(1) > _ACROSS
        for name in self.periodic.keys() & set(self.problem.coordinates):
            own = self.problem.coordinates.index(name)
            bare &= np.abs(drawn.normals[:, own]) < 1 - _ACROSS
        # One field may stand for another, as the stream function for the vorticity at a wall.
        needing = np.zeros(len(drawn.x), dtype=int)
        for own_axes in self.second.values():
            needing += np.abs(drawn.normals[:, sorted(own_axes)]).max(1) > _ACROSS
        bare &= (self._given(drawn, field) == 0) & (self._given(drawn) < needing)
        if axis is not None and bare.any():
            opposite = drawn.mirrored(self.problem.domain.bounds, axis)
            bare &= self._orders(opposite, field, axis) < self.second[field][axis]
        if bare.any():
            bare &= ~self._fixed(field, drawn.x)
            bare &= ~self._degenerate(field, drawn)
        return bare

    def _given(self, drawn: _Drawn, field: str | None = None) -> np.ndarray:
        """Return how many residuals hold at points, all of them or those that contain a field."""
        given = np.zeros(len(drawn.x), dtype=int)
        for block in self.problem.blocks[1:]:
            if field is None or _partials(self.problem, block, field):
                count = sum(len(term.expressions) for term in block.terms)
                given += count * _holds(self.problem, block, drawn)
        return given

    def _orders(self, drawn: _Drawn, field: str, axis: int) -> np.ndarray:
        """Return how many orders of derivatives across a face the conditions of a field give."""
        given: dict[int, np.ndarray] = {}
        for block in self.problem.blocks[1:]:
            for term in block.terms:
                for expression in term.expressions:
                    own = self.problem.partials(expression).values()
                    if {partial.field for partial in own} == {field}:
                        order = max(partial.orders[axis] for partial in own)
                        here = _holds(self.problem, block, drawn)
                        given[order] = given.get(order, ~np.ones_like(here)) | here
        total = np.zeros(len(drawn.x), dtype=int)
        for here in given.values():
            total += here
        return total

    def _fixed(self, field: str, x: np.ndarray) -> np.ndarray:
        """Return where a hard form gives the field whatever the network is."""
        growth = np.abs(raw_range(self.problem, field, x)[1])
        inside = np.abs(raw_range(self.problem, field, items_of(self.problem.blocks[0]).x)[1])
        largest = float(inside[np.isfinite(inside)].max(initial=TINY))
        fixed: np.ndarray = ~(growth > _FIXED * largest)
        return fixed

    def _degenerate(self, field: str, drawn: _Drawn) -> np.ndarray:
        """Return where no second derivative across is left, or a coefficient is not finite."""
        problem, x = self.problem, drawn.x
        left, certain = np.zeros(len(x)), np.ones(len(x), dtype=bool)
        for expression in (e for term in problem.blocks[0].terms for e in term.expressions):
            own = self._across(field, expression, drawn)
            if not own:
                continue
            columns = self.names.columns(problem.blocks[0], [expression])
            at = {n: np.resize(c, len(x)) if np.ndim(c) else c for n, c in columns.items()}
            at |= dict(zip(problem.coordinates, x.T, strict=True))
            try:
                values = evaluated([expression, *(expression.diff(one) for one, _ in own)], at)
                usual = rms(evaluated([expression], columns)[0])
            except ConfigError:
                return np.ones(len(x), dtype=bool)
            certain &= np.abs(values[0]) <= _INFINITE * max(usual, TINY)
            for slope, (_, across) in zip(values[1:], own, strict=True):
                left += np.abs(slope) * across
        degenerate: np.ndarray = ~certain | (left == 0)
        return degenerate

    def _across(
        self, field: str, expression: sympy.Expr, drawn: _Drawn
    ) -> list[tuple[sympy.Symbol, np.ndarray]]:
        """Return the second and higher derivatives of a field, and where they are across."""
        return [
            (symbol, np.abs(drawn.normals[:, axis]) > _ACROSS)
            for symbol, partial in self.problem.partials(expression).items()
            for axis in self.second[field]
            if partial.field == field and partial.orders[axis] >= 2
        ]
