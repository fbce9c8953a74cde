"""Parts of the boundary on which an equation of second order has no condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from pdehvd.assembly.trust.counted_conditions import orders
from pdehvd.assembly.trust.field_ranges import TINY, raw_range
from pdehvd.assembly.trust.plausible_values import Plausible, evaluated, items_of
from pdehvd.errors import ConfigError
from pdehvd.problems.block import Block
from pdehvd.problems.pde import PDEProblem
from pdehvd.problems.periodic import PeriodicSource
from pdehvd.problems.regions import Region
from pdehvd.problems.sequences import Sobol
from pdehvd.problems.sources import RegionSource

# Points of a part of the boundary that are judged, and of a condition's region around them.
_JUDGED, _AROUND = 512, 4096
# Share of a part without a condition that is reported, and that is all of it.
_SOME, _ALL = 0.02, 0.98
# Share of a hard form's largest growth with the network that is none.
_FIXED = 1e-3
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
    unless the opposite face has two of them, a hard form fixes it there, the equation degenerates
    there (as r u_rr + u_r at r = 0), or values inside the domain are measured.
    """
    domain = problem.domain
    if not domain.space or len(domain.names) == 1:
        return {}
    along = {a: orders(problem, a) for a in range(len(domain.names)) if _in_space(problem, a)}
    covers = [_Cover(problem, block) for block in problem.blocks[1:]]
    found: dict[str, list[BarePart]] = {}
    for field in problem.fields:
        second = {axis for axis, own in along.items() if own[field] >= 2}
        if not second or _is_measured(problem, field) or not _is_held(problem, field):
            continue
        judged = _Judged(problem, names, periodic, covers, field, second)
        parts = [part for face in _parts(problem) if (part := judged.bare(*face))]
        named = [part for part in parts if part.name != "boundary"]
        if parts:
            found[field] = named or parts
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
        yield name, domain.region(name), None


def _is_held(problem: PDEProblem, field: str) -> bool:
    """Return whether any condition or hard form contains a field; else another warning says so."""
    return field in problem.hard or any(_holds(problem, b, field) for b in problem.blocks[1:])


def _holds(problem: PDEProblem, block: Block, field: str) -> int:
    """Return how many residuals of a block contain a field."""
    return sum(
        field in {partial.field for partial in problem.partials(expression).values()}
        for term in block.terms
        for expression in term.expressions
    )


def _is_measured(problem: PDEProblem, field: str) -> bool:
    """Return whether values of a field inside the domain are given, at more than one instant."""
    time = problem.domain.time
    for block in problem.blocks[1:]:
        source = block.source
        oriented = isinstance(source, RegionSource) and source.region.oriented
        pairs = isinstance(source, PeriodicSource) or source.points_per_item > 1
        if oriented or pairs or block.count <= _FEW or not _holds(problem, block, field):
            continue
        x = items_of(block).x
        if time is None or np.ptp(x[:, problem.coordinates.index(time)]) > 0:
            return True
    return False


class _Cover:
    """Where on the boundary the residuals of a block hold."""

    def __init__(self, problem: PDEProblem, block: Block) -> None:
        self.problem = problem
        self.block = block
        self.lengths = np.ptp(problem.domain.bounds, axis=1)

    def count(self, field: str, x: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Return how many of the residuals hold for a field at points [N, D] of the boundary."""
        source, number = self.block.source, _holds(self.problem, self.block, field)
        here = np.zeros(len(x), dtype=bool)
        if number and isinstance(source, PeriodicSource):
            here = np.abs(normals[:, source.axis]) > 1 - 1e-6
        elif number and isinstance(source, RegionSource) and source.region.oriented:
            here = self._tree.query(self._place(x, normals))[0] <= self._reach
        return number * here

    def _place(self, x: np.ndarray, normals: np.ndarray) -> np.ndarray:
        # Faces that meet in an edge are told apart by their normals.
        return np.concatenate([x / self.lengths, 2 * normals], axis=1)

    def _drawn(self, seed: int, count: int) -> np.ndarray:
        assert isinstance(self.block.source, RegionSource)
        return self._place(*_draw(self.block.source.region, seed, count))

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self._drawn(1, _AROUND))

    @cached_property
    def _reach(self) -> float:
        """How far a point of the region may be from those that were drawn."""
        return 1.5 * float(self._tree.query(self._drawn(2, _JUDGED))[0].max())


def _draw(region: Region, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points of a part of the boundary and their outward normals, [N, D] each."""
    sampler = Sobol(seed)
    settled = region.settled(sampler, count)
    points = region.draw(sampler, settled, 0, settled, (0,))
    assert points.normals is not None
    return points.x, points.normals


@dataclass(frozen=True)
class _Judged:
    """A field whose equations are of second order along some axes."""

    problem: PDEProblem
    names: Plausible
    periodic: Mapping[str, object]
    covers: Sequence[_Cover]
    field: str
    second: set[int]

    def bare(self, name: str, region: Region, axis: int | None) -> BarePart | None:
        """Return a part of the boundary if the field has no condition on it, or on some of it."""
        if axis is not None and (axis not in self.second or name.split()[0] in self.periodic):
            return None
        x, normals = _draw(region, 3, _JUDGED)
        own = self._given(x, normals)
        across = np.abs(normals[:, sorted(self.second)]).max(1) > 1e-6
        bare = across & (own == 0) & ~self._fixed(x) & ~self._degenerate(x)
        if axis is not None:
            opposite = x.copy()
            opposite[:, axis] = self.problem.domain.bounds[axis].sum() - x[:, axis]
            bare &= self._given(opposite, -normals) < 2
        share = float(bare.mean())
        return BarePart(name, share, x[bare][0]) if share > _SOME else None

    def _given(self, x: np.ndarray, normals: np.ndarray) -> np.ndarray:
        given = np.zeros(len(x), dtype=int)
        for cover in self.covers:
            given += cover.count(self.field, x, normals)
        return given

    def _fixed(self, x: np.ndarray) -> np.ndarray:
        """Return where a hard form gives the field whatever the network is."""
        growth = np.abs(raw_range(self.problem, self.field, x)[1])
        inside = np.abs(raw_range(self.problem, self.field, items_of(self.problem.blocks[0]).x)[1])
        fixed: np.ndarray = growth <= _FIXED * max(float(inside.max()), TINY)
        return fixed

    def _degenerate(self, x: np.ndarray) -> np.ndarray:
        """Return where no second derivative is left, or where a coefficient is not finite."""
        problem, left = self.problem, np.zeros(len(x))
        certain = np.ones(len(x), dtype=bool)
        for expression in (e for term in problem.blocks[0].terms for e in term.expressions):
            partials = problem.partials(expression)
            own = [
                symbol
                for symbol, partial in partials.items()
                if partial.field == self.field
                and any(partial.orders[axis] >= 2 for axis in self.second)
            ]
            if not own:
                continue
            columns = self.names.columns(problem.blocks[0], [expression])
            at = {n: np.resize(c, len(x)) if np.ndim(c) else c for n, c in columns.items()}
            at |= dict(zip(problem.coordinates, x.T, strict=True))
            try:
                values = evaluated([expression, *(expression.diff(one) for one in own)], at)
            except ConfigError:
                return np.ones(len(x), dtype=bool)
            certain &= np.broadcast_to(np.isfinite(values[0]), len(x))
            for slope in values[1:]:
                left += np.abs(slope)
        degenerate: np.ndarray = ~certain | (left == 0)
        return degenerate
