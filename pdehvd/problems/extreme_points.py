"""The fixed points at which the largest and smallest values of an expression are looked for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pdehvd.errors import ConfigError
from pdehvd.problems.evaluation import (
    EVALUATION_POINTS,
    GRID_COORDINATES,
    cover,
    evaluation_points,
)
from pdehvd.problems.geometry import Domain, Region
from pdehvd.problems.pieces import Piece, Points
from pdehvd.problems.sequences import Lattice

BOUNDARY_POINTS = 2000


def points_of_domain(domain: Domain, fixed: Mapping[int, float]) -> Points:
    """Return points of the closed domain, where `fixed` holds values of coordinates by their axes.

    They are those at which errors are measured, and some on the boundary in space, except for a
    grid on a box, which has its faces. Raises `ConfigError` where there are none.
    """
    try:
        x = evaluation_points(domain, EVALUATION_POINTS, fixed)
    except ConfigError as error:
        raise ConfigError("nothing of the domain lies there, or too little") from error
    grid = domain.frame.shape is None and len(domain.names) - len(fixed) <= GRID_COORDINATES
    if grid or not domain.space or {domain.names[axis] for axis in fixed} & set(domain.space):
        return Points(x, None)
    limits = [f"{domain.names[axis]} = {value!r}" for axis, value in fixed.items()]
    region = domain.region(" and ".join(["boundary", *limits]))
    more = points_of_region(region, domain, BOUNDARY_POINTS)
    return Points(np.concatenate([x, more.x]), None)


def points_of_region(region: Region, domain: Domain, count: int = EVALUATION_POINTS) -> Points:
    """Return about `count` points that cover a region, with outward normals where all have them."""
    shares = zip(region.pieces, region.shares(count), strict=True)
    parts = [_spread(piece, share, domain) for piece, share in shares]
    normals = [part.normals for part in parts if part.normals is not None]
    x = np.concatenate([part.x for part in parts])
    return Points(x, np.concatenate(normals) if len(normals) == len(parts) else None)


def _spread(piece: Piece, count: int, domain: Domain) -> Points:
    """Return about `count` points of a piece; with its ends, where it is a part of a box.

    Parameters with a distribution take its values.
    """
    if piece.surface is None and not set(piece.spread.axes) & set(piece.free):
        x = cover(piece.box, (), count)
        x = x[domain.contains(x)]
        x = x if piece.keep is None else x[piece.keep(x)]
        if len(x):
            return Points(x, None if piece.normal is None else np.tile(piece.normal, (len(x), 1)))
    sampler = Lattice(0)
    total = piece.total(sampler, count)
    return piece.draw(sampler, total, 0, total, ())
