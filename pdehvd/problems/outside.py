"""Points outside a domain: which they are, and how far from it the farthest lies."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.spatial import cKDTree

from pdehvd.problems.geometry import Domain
from pdehvd.problems.shapes_csg import Shape

# Points a piece of boundary: to find the farthest few, and to look closer for their distances.
_COARSE, _FINE, _ROUNDS, _FEW = 1 << 11, 1 << 9, 14, 4


def is_outside(domain: Domain, x: np.ndarray, rounding: float = 0.0) -> np.ndarray:
    """Return which points [N, D] lie outside a domain.

    `rounding` is the relative precision that the numbers had before they became float64: points
    that it alone moves across the boundary count as inside.
    """
    outside = ~np.asarray(domain.contains(x), dtype=bool)
    if rounding and outside.any():
        outside[outside] = ~_inside_to_rounding(domain, x[outside], rounding)
    return outside


def _inside_to_rounding(domain: Domain, x: np.ndarray, rounding: float) -> np.ndarray:
    low, high = np.asarray(domain.bounds, dtype=np.float64).T
    slack = 2 * rounding * np.maximum(np.abs(low), np.abs(high))
    inside = ((x >= low - slack) & (x <= high + slack)).all(axis=1)
    moved = np.clip(x, low, high)
    columns = list(domain.frame.columns) if domain.frame.shape is not None else []
    found = np.zeros(len(x), bool)
    for step in product((0.0, -1.0, 1.0), repeat=len(columns)):
        near = moved.copy()
        near[:, columns] += np.asarray(step) * slack[columns]
        found |= domain.contains(near)
    values: np.ndarray = inside & found
    return values


def farthest(domain: Domain, x: np.ndarray) -> str:
    """Say how far from a domain the farthest of points [N, D] lies, all of them outside it."""
    low, high = np.asarray(domain.bounds, dtype=np.float64).T
    columns = list(domain.frame.columns) if domain.frame.shape is not None else []
    beyond = np.maximum(np.maximum(low - x, x - high), 0.0)
    beyond[:, columns] = 0.0
    shares = beyond / (high - low)
    index, axis = np.unravel_index(np.argmax(shares), shares.shape)
    shape = domain.frame.shape
    if shape is not None:
        away = distances(shape, x[:, columns])
        if away.max() / shape.diagonal > shares[index, axis]:
            point = x[np.argmax(away), columns]
            place = ", ".join(
                f"{domain.names[c]} = {v:g}" for c, v in zip(columns, point, strict=True)
            )
            return f"the farthest, {place}, by about {away.max():.2g}"
    name, value = domain.names[axis], x[index, axis]
    return (
        f"the farthest by {beyond[index, axis]:.2g} in {name}: {name} = {value:g} is not in "
        f"[{low[axis]:g}, {high[axis]:g}]"
    )


def _units(count: int, parameters: int) -> np.ndarray:
    """Return points [n, parameters] that fill the closed unit cube evenly, its corners included."""
    from scipy.stats import qmc  # late: it takes half a second

    points = qmc.Sobol(parameters, scramble=False).random(count)
    corners = np.array(list(product((0.0, 1.0), repeat=parameters)))
    return np.concatenate([points, corners])


def distances(shape: Shape, x: np.ndarray) -> np.ndarray:
    """Return how far points [N, k] lie from a shape; all but the farthest few roughly."""
    boundary = []
    for leaf in shape.leaves():
        for surface in leaf.surfaces:
            points, normals = surface.points(_units(_COARSE, surface.parameters))
            boundary.append(points[shape.exposed(leaf, points, normals)[0]])
    rough, _ = cKDTree(np.concatenate(boundary)).query(x)
    rough[shape.contains(x)] = 0.0
    few = np.argsort(rough)[-_FEW:]
    near = np.array([_closest(shape, x[row]) if rough[row] else 0.0 for row in few])
    result = np.minimum(rough, near.max(initial=0.0))
    result[few] = near
    values: np.ndarray = result
    return values


def _closest(shape: Shape, point: np.ndarray) -> float:
    """Return the distance of a point [k] from a shape: closer and closer looks at its boundary."""
    best = np.inf
    for leaf in shape.leaves():
        for surface in leaf.surfaces:
            units = _units(_FINE, surface.parameters)
            centre, width = np.full(surface.parameters, 0.5), 1.0
            for _ in range(_ROUNDS):
                tried = np.clip(centre + width * (units - 0.5), 0.0, 1.0)
                points, normals = surface.points(tried)
                exposed, _ = shape.exposed(leaf, points, normals)
                distance = np.where(exposed, np.linalg.norm(points - point, axis=1), np.inf)
                centre, width = tried[np.argmin(distance)], width / 4
                best = min(best, float(distance.min()))
    return best
