"""Pairs of opposite points on two faces of the domain that are joined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pdehvd.errors import ConfigError
from pdehvd.numerics.derivatives import internal
from pdehvd.problems.block import Items
from pdehvd.problems.geometry import Domain
from pdehvd.problems.regions import Region
from pdehvd.problems.sequences import Sobol
from pdehvd.problems.shapes_csg import PROBE
from pdehvd.problems.sources import RegionSource

_TRIED = 2**14  # points of a face whose partners are looked for
_MISSED = 1e-4  # share of them that may lie within rounding of a rim


@dataclass(frozen=True)
class PeriodicSource:
    """Pairs of opposite points; the column `__side` is +1 on the lower face and -1 on the upper."""

    lower: RegionSource
    axis: int
    upper: float
    points_per_item: int = 2

    @property
    def count(self) -> int:
        return self.lower.count

    def fresh(self) -> PeriodicSource:
        return replace(self, lower=self.lower.fresh())

    def items(self, round_: int, start: int, stop: int) -> Items:
        below = self.lower.items(round_, start, stop).x
        above = below.copy()
        above[:, self.axis] = self.upper
        pairs = np.stack([below, above], 1).reshape(-1, below.shape[1])
        return Items(pairs, {internal("side"): np.tile([1.0, -1.0], len(below))})


def join_faces(
    domain: Domain, axis: int, region_source: Callable[[Region], RegionSource]
) -> PeriodicSource:
    """Return the pairs of the two faces of a coordinate, by number of its column.

    Raises ConfigError where a face is missing, or has points without a partner on the other.
    """
    low, high = domain.bounds[axis]
    lower = _face(domain, axis, low)
    if axis in domain.frame.columns:
        upper = _face(domain, axis, high)
        _check_partners(domain, axis, lower, high)
        _check_partners(domain, axis, upper, low)
    return PeriodicSource(region_source(lower), axis, float(high))


def _face(domain: Domain, axis: int, value: float) -> Region:
    """Return the face at one end of a coordinate; that of a shape must be a flat part of it."""
    name = domain.names[axis]
    try:
        face = domain.region(f"{name} = {float(value)!r}")
    except ConfigError:
        face = None
    if face is None or (axis in domain.frame.columns and not face.oriented):
        raise ConfigError(
            f"the domain has no flat face at {name} = {value:g}",
            expected=f"a domain with two equal faces across {name}",
        )
    return face


def _check_partners(domain: Domain, axis: int, face: Region, opposite: float) -> None:
    """Refuse points of a face whose partner is not on the opposite face of the shape."""
    shape, columns = domain.frame.shape, list(domain.frame.columns)
    if shape is None:
        return
    points = domain.sample(face, Sobol(0), _TRIED, 0, _TRIED, ()).x
    inward = np.sign(points[0, axis] - opposite)
    points[:, axis] = opposite + inward * PROBE * shape.diagonal
    missed = 1.0 - float(shape.inside(points[:, columns]).mean())
    if missed > _MISSED:
        name, low = domain.names[axis], domain.bounds[axis]
        here = low[0] if inward < 0 else low[1]
        raise ConfigError(
            f"{_percent(missed)} of the points on {name} = {here:g} have no partner on "
            f"{name} = {opposite:g}",
            expected=f"two equal faces, one the other moved along {name}",
        )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "less than 1 %"
