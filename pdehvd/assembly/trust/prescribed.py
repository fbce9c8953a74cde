"""What conditions prescribe: the value of a field, or of a derivative, on a region or at points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import sympy

from pdehvd.assembly.trust.magnitudes import solve_for_value
from pdehvd.assembly.trust.plausible_values import items_of
from pdehvd.numerics.derivatives import internal
from pdehvd.numerics.expressions import partial_of, symbol
from pdehvd.problems.block import Block
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.pieces import Points
from pdehvd.problems.regions import Region
from pdehvd.problems.sequences import Sobol
from pdehvd.problems.sources import GivenSource, RegionSource

_POINTS = 128
# Normals that differ by less than this are one.
_FLAT = 1e-9


@dataclass(frozen=True)
class Prescribed:
    """A condition by which `name`, a field or derivative, equals `value` at points [n, D].

    `region` is where; None where the points are given ones.
    """

    origin: str
    name: str
    value: sympy.Expr
    x: np.ndarray
    region: Region | None

    @property
    def dimension(self) -> int:
        return 0 if self.region is None else self.region.dimension


def prescribed(problem: PDEProblem) -> Iterator[Prescribed]:
    """Yield what conditions on regions and at points prescribe; measured values may scatter."""
    for block in problem.blocks[1:]:
        for x, region, normal in _parts(problem, block):
            for term in block.terms:
                for expression in term.expressions:
                    # On a flat face, u_n is a derivative by a coordinate.
                    name, value = solve_for_value(problem, expression.subs(normal))
                    names = set() if value is None else {str(s) for s in value.free_symbols}
                    if name and value is not None and names <= set(problem.coordinates):
                        yield Prescribed(f"`{block.name}`", name, value, x, region)


def _parts(
    problem: PDEProblem, block: Block
) -> Iterator[tuple[np.ndarray, Region | None, Mapping[sympy.Symbol, float]]]:
    """Yield points [n, D], region and normal of a block; each face by itself for its normal."""
    source = block.source
    if isinstance(source, GivenSource) and not source.columns:
        yield items_of(block).x, None, {}
    if not isinstance(source, RegionSource):
        return
    names = [symbol(internal(f"normal_{name}")) for name in problem.coordinates]
    held = {s for term in block.terms for e in term.expressions for s in e.free_symbols}
    if held.isdisjoint(names):
        yield _drawn(problem, source.region).x, source.region, {}
        return
    for piece in source.region.pieces:
        face = replace(source.region, pieces=(piece,))
        points = _drawn(problem, face)
        normals = points.normals
        if normals is not None and np.ptp(normals, axis=0).max() < _FLAT:
            yield points.x, face, dict(zip(names, normals[0].tolist(), strict=True))


def _drawn(problem: PDEProblem, region: Region) -> Points:
    """Return points of a region, always the same."""
    sampler = Sobol(0)
    count = problem.domain.count(region, _POINTS, sampler)
    return problem.domain.sample(region, sampler, count, 0, count, ())


def differentiated(problem: PDEProblem, one: Prescribed, name: str) -> Prescribed | None:
    """Return what a condition prescribes for `name`, by derivatives along its region.

    Where u = x holds on y = 0, so does u_x = 1. None where it says nothing of `name`.
    """
    if one.name == name:
        return one
    own, other = (partial_of(n, problem.fields, problem.coordinates) for n in (one.name, name))
    if own is None or other is None or own.field != other.field or one.region is None:
        return None
    more = np.subtract(other.orders, own.orders)
    along = tuple(
        piece
        for piece in one.region.pieces
        if piece.surface is None and (np.ptp(piece.box, axis=1)[more > 0] > 0).all()
    )
    if (more < 0).any() or not along:
        return None
    value = one.value
    for coordinate, order in zip(problem.coordinates, more.tolist(), strict=True):
        value = value.diff(symbol(coordinate), order)
    if value.has(sympy.Derivative, sympy.DiracDelta):
        return None
    return replace(one, name=name, value=value, region=replace(one.region, pieces=along))
