"""Conditions that prescribe different values of a field on one part of the domain."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import sympy

from pdehvd.assembly.trust.caution import Caution
from pdehvd.assembly.trust.field_ranges import raw_range
from pdehvd.assembly.trust.plausible_values import evaluated
from pdehvd.assembly.trust.prescribed import Prescribed, differentiated, prescribed
from pdehvd.assembly.trust.problem_scales import Scales
from pdehvd.errors import ConfigError
from pdehvd.problems.evaluation import evaluation_points
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.pieces import Piece
from pdehvd.problems.sequences import Sobol

# Share of a condition's points on which another one must differ, and share of the values by which.
# Where conditions only meet, on edges and corners, they share hardly any points.
_SHARED, _DIFFERENT = 0.05, 0.01
# Share of the size of the field, or derivative, below which a difference is one of rounding.
_ROUNDED = 1e-3
# A place, in lengths of the domain, and a factor of the network, in its largest, that are zero.
_CLOSE, _FIXED = 1e-9, 1e-9
_SURFACE_POINTS = 1024


def contradictions(scales: Scales) -> Iterator[Caution]:
    """Two conditions, or a condition and a hard form, that no field can fulfil together."""
    problem = scales.problem
    asked = list(prescribed(problem))
    for first, second in itertools.combinations(asked, 2):
        name, place = _disagreement(scales, first, second)
        if place:
            origins = " and ".join(dict.fromkeys((first.origin, second.origin)))
            yield _contradiction(origins, name, place)
    for one in asked:
        if one.name in problem.hard:
            base, reach = raw_range(problem, one.name, one.x)
            inside = raw_range(problem, one.name, evaluation_points(problem.domain, 256))[1]
            fixed = np.abs(reach) <= _FIXED * np.abs(inside[np.isfinite(inside)]).max(initial=0)
            values = [base, _values(problem, one.value, one.x)]
            _, place = _differing(scales, one.name, one.x, fixed, *values)
            if place:
                yield _contradiction(f"`hard` and {one.origin}", one.name, place)


def _contradiction(origins: str, name: str, place: str) -> Caution:
    cause = f"{origins} prescribe different values of {name} {place}, and no solution has both"
    return Caution("contradiction", cause, advice="Leave one of them out, or limit its `on`")


def _disagreement(scales: Scales, first: Prescribed, second: Prescribed) -> tuple[str, str]:
    """Return of which field or derivative two conditions prescribe different values, and where.

    The words are empty where they agree, or where one does not say what the other speaks of.
    """
    problem = scales.problem
    dimension = max(first.dimension, second.dimension)
    inside = dimension == len(problem.coordinates)
    if inside and (first.dimension != second.dimension or first.name != second.name):
        return "", ""
    for name in dict.fromkeys((first.name, second.name)):
        one, other = (differentiated(problem, own, name) for own in (first, second))
        if one is None or other is None:
            continue
        # One may be a small part of the other: its own points tell more of where that is.
        least = min(one.dimension, other.dimension)
        places = [own.x for own in (one, other) if own.dimension == least]
        _, place = max(_disagreeing(scales, one, other, x) for x in places)
        if place:
            return name, place
    return "", ""


def _disagreeing(
    scales: Scales, first: Prescribed, second: Prescribed, x: np.ndarray
) -> tuple[float, str]:
    """Return on which share of points [n, D] of one of them two conditions differ, and where.

    Where one region is of a higher dimension, points on its edge do not count.
    """
    problem = scales.problem
    least = min(first.dimension, second.dimension)
    holding = [_holds(problem, one, x, one.dimension > least) for one in (first, second)]
    values = [_values(problem, one.value, x) for one in (first, second)]
    return _differing(scales, first.name, x, holding[0] & holding[1], *values)


def _values(problem: PDEProblem, value: sympy.Expr, x: np.ndarray) -> np.ndarray:
    """Return an expression of the coordinates at points [n, D]; NaN where it has no value."""
    columns = dict(zip(problem.coordinates, x.T, strict=True))
    try:
        return np.broadcast_to(evaluated([value], columns)[0], len(x))
    except ConfigError:
        return np.full(len(x), np.nan)


def _holds(
    problem: PDEProblem, asked: Prescribed, x: np.ndarray, within: bool = False
) -> np.ndarray:
    """Return at which points [n, D] a condition holds; `within` its region, without the edge."""
    lengths = np.ptp(problem.domain.bounds, axis=1)
    if asked.region is None:
        apart = np.abs(x[:, None] - asked.x[None]) / lengths
        return np.asarray((apart < _CLOSE).all(2).any(1))
    pieces = asked.region.pieces
    masks = [_belongs(piece, x, lengths) & _off_edge(piece, x, lengths, within) for piece in pieces]
    return np.asarray(np.any(masks, axis=0))


def _off_edge(piece: Piece, x: np.ndarray, lengths: np.ndarray, within: bool) -> np.ndarray:
    """Return which points [n, D] of a piece are not on its edge; all without `within`."""
    if not within:
        return np.ones(len(x), bool)
    # Where the surfaces of a shape meet is not known here.
    if piece.surface is not None and piece.leaf is not None and len(piece.leaf.surfaces) > 1:
        return np.zeros(len(x), bool)
    low, high = piece.box.T
    free = high > low
    inside = (x > low + _CLOSE * lengths) & (x < high - _CLOSE * lengths)
    return np.asarray(inside[:, free].all(1))


def _belongs(piece: Piece, x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return which points [n, D] belong to a piece of a region."""
    low, high = piece.box.T
    mask = ((x >= low - _CLOSE * lengths) & (x <= high + _CLOSE * lengths)).all(1)
    if piece.keep is not None:
        mask &= piece.keep(x)
    own = x[:, list(piece.columns)]
    if piece.surface is not None and piece.leaf is not None:
        mask &= piece.leaf.touches(own) & _on_surface(piece, own)
    elif piece.shape is not None:
        mask &= piece.shape.contains(own)
    return np.asarray(mask)


def _on_surface(piece: Piece, x: np.ndarray) -> np.ndarray:
    """Return which points [n, k] of a leaf's boundary are nearest to a piece's part of it."""
    assert piece.leaf is not None and piece.surface is not None
    distances = []
    for surface in (piece.surface, *(s for s in piece.leaf.surfaces if s is not piece.surface)):
        unit = Sobol(0).points(surface.parameters, _SURFACE_POINTS, 0, _SURFACE_POINTS, ())
        points = surface.points(unit)[0]
        distances.append(np.linalg.norm(x[:, None] - points[None], axis=2).min(1))
    return np.asarray(np.argmin(distances, axis=0) == 0)


def _differing(
    scales: Scales,
    name: str,
    x: np.ndarray,
    shared: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
) -> tuple[float, str]:
    """Return the share of points [n, D] on which two values of `name` differ, and where in words.

    The words are empty where that share is none to speak of.
    """
    shared = shared & np.isfinite(first) & np.isfinite(second)
    problem = scales.problem
    size = max(np.abs(v[shared]).max(initial=0) for v in (first, second))
    least = max(_DIFFERENT * size, _ROUNDED * scales.names.size(name))
    wrong = shared & (np.abs(first - second) > least)
    if wrong.mean() <= _SHARED:
        return 0.0, ""
    at = int(np.argmax(np.where(wrong, np.abs(first - second), -1.0)))
    lengths = np.ptp(problem.domain.bounds, axis=1)
    flat = np.ptp(x[wrong], axis=0) <= _CLOSE * lengths
    named = dict(zip(problem.coordinates, x[at], strict=True))
    whole = [n for n, one in zip(named, flat, strict=True) if one]
    place = ", ".join(f"{n} = {named[n]:.3g}" for n in whole or named)
    return float(
        wrong.mean()
    ), f"{'on' if whole else 'near'} {place} ({first[at]:.3g} and {second[at]:.3g})"
