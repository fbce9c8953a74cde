"""Points of the boundary in space, and which conditions hold at them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pdehvd.errors import ConfigError
from pdehvd.problems.block import Block
from pdehvd.problems.geometry import Domain
from pdehvd.problems.periodic import PeriodicSource
from pdehvd.problems.pieces import Piece
from pdehvd.problems.regions import Region
from pdehvd.problems.sequences import Sobol
from pdehvd.problems.sources import RegionSource

# Points of a part of the boundary, and at least so many of each of its pieces.
_POINTS, _LEAST = 512, 64
# Rounding of places, relative to the length of the domain, and of components of unit normals.
_SAME, ACROSS = 1e-9, 1e-6


@dataclass(frozen=True)
class BoundaryPoints:
    """Points of a piece of the boundary, their normals, [N, D] each, and the share of a point."""

    piece: Piece
    x: np.ndarray
    normals: np.ndarray
    weight: float

    def mirrored(self, bounds: np.ndarray, axis: int) -> BoundaryPoints:
        """Return the same points on the opposite face of a box."""
        x = self.x.copy()
        x[:, axis] = bounds[axis].sum() - x[:, axis]
        return BoundaryPoints(self.piece, x, -self.normals, self.weight)


@dataclass(frozen=True)
class BoundaryPart:
    """A part of the boundary; `axis` is that of a face of a box."""

    name: str
    region: Region
    axis: int | None

    @cached_property
    def points(self) -> list[BoundaryPoints]:
        """Points of each piece, more on larger ones."""
        found = []
        for piece, share in zip(self.region.pieces, self.region.shares(_POINTS), strict=True):
            count = max(share, _LEAST)
            points = piece.draw(Sobol(3), count, 0, count, (0,))
            assert points.normals is not None
            weight = piece.measure / self.region.measure / count
            found.append(BoundaryPoints(piece, points.x, points.normals, weight))
        return found


def boundary_parts(domain: Domain) -> Iterator[BoundaryPart]:
    """Yield the faces of a box, the named parts of a shape's boundary, and all of that."""
    frame = domain.frame
    for axis, name in enumerate(domain.names):
        if name in domain.space and axis not in frame.columns:
            for end in domain.bounds[axis].tolist():
                yield BoundaryPart(f"{name} = {end:g}", domain.region(f"{name} = {end!r}"), axis)
    for name in (*domain.boundaries, "boundary") if frame.shape is not None else ():
        try:
            yield BoundaryPart(name, domain.region(name), None)
        except ConfigError:
            # The boundary of a part may lie inside of others, where nothing is left of it.
            continue


def on_boundary(block: Block) -> bool:
    """Return whether a block holds at points of the boundary in space."""
    return isinstance(block.source, RegionSource) and block.source.region.oriented


def holds(domain: Domain, block: Block, points: BoundaryPoints) -> np.ndarray:
    """Return at which points [N] of the boundary the residuals of a block hold."""
    source = block.source
    if isinstance(source, PeriodicSource):
        joined: np.ndarray = np.abs(points.normals[:, source.axis]) > 1 - ACROSS
        return joined
    here = np.zeros(len(points.x), dtype=bool)
    if isinstance(source, RegionSource):
        for piece in source.region.pieces:
            here |= _belongs(domain, piece, points)
    return here


def _belongs(domain: Domain, piece: Piece, points: BoundaryPoints) -> np.ndarray:
    """Return which points of the boundary lie in a piece of a condition's region."""
    frame, lengths = domain.frame, np.ptp(domain.bounds, axis=1)
    inside = np.ones(len(points.x), dtype=bool)
    if piece.surface is None:
        if piece.normal is None or points.piece.surface is not None:
            return ~inside
        inside &= np.abs(points.normals - piece.normal).max(1) < ACROSS
    elif piece.leaf is not points.piece.leaf:
        return ~inside
    for axis, (low, high) in enumerate(piece.box):
        # What limits the coordinates of a shape is in `keep`, but for a plane that is chosen.
        if piece.surface is not None and axis in piece.columns and high > low:
            continue
        slack = frame.reach(axis) if axis in piece.columns else _SAME * lengths[axis]
        inside &= (points.x[:, axis] >= low - slack) & (points.x[:, axis] <= high + slack)
    return inside if piece.keep is None else inside & piece.keep(points.x)
