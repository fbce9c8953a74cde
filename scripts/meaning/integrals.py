"""Integrals over boxes and bodies by rules of their own: Green's theorem along the rims."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import sympy

from scripts.meaning.domain import Place, cover
from scripts.meaning.shapes import Body, Oval, Rim, Segment

_NODES, _WEIGHTS = (half * 0.5 for half in np.polynomial.legendre.leggauss(24))
_NODES = _NODES + 0.5
_SCAN = 4096


def values(
    expressions: Sequence[sympy.Expr], names: Sequence[str], x: np.ndarray
) -> list[np.ndarray]:
    """Return the values of expressions of the coordinates at points [N, D]."""
    symbols = [sympy.Symbol(name, real=True) for name in names]
    function = sympy.lambdify(symbols, list(expressions), "numpy")
    return [np.broadcast_to(value, len(x)).astype(float) for value in function(*x.T)]


def integral(
    place: Place, over: tuple[int, ...], integrand: sympy.Expr, others: np.ndarray
) -> np.ndarray:
    """Return the integrals of an expression over some axes at each of the points `others`."""
    x, weights = rule(place, over)
    found = []
    for other in others:
        points = np.repeat(other[None, :], len(x), axis=0)
        points[:, list(over)] = x[:, list(over)]
        found.append(weights @ values([integrand], place.names, points)[0])
    return np.array(found)


def exactness(place: Place, over: tuple[int, ...]) -> float:
    """Return how exact `integral` is, relative to the integral of the absolute value."""
    if place.body is not None and place.body.dimension == 3 and set(place.columns) <= set(over):
        return 3e-2
    # Rules along three coordinates or more have fewer nodes along each.
    return 1e-8 if len(over) < 3 else 1e-4


def rule(place: Place, over: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return points [N, D] and weights [N] over some axes of a place."""
    body, columns = place.body, list(place.columns)
    flat = [axis for axis in over if axis not in columns]
    x, weights = np.repeat(place.bounds[:, :1].T, 1, axis=0), np.ones(1)
    if body is not None and set(columns) <= set(over):
        inner, weights = _plane(body) if body.dimension == 2 else _solid(body)
        x = np.repeat(x, len(inner), axis=0)
        x[:, columns] = inner
    for axis in flat:
        nodes = place.bounds[axis, 0] + _NODES * place.extent[axis]
        x = np.repeat(x, len(nodes), axis=0)
        x[:, axis] = np.tile(nodes, len(weights))
        weights = np.outer(weights, _WEIGHTS * place.extent[axis]).reshape(-1)
    return x, weights


def _plane(body: Body) -> tuple[np.ndarray, np.ndarray]:
    """Return the rule of the integral of f: that of the antiderivative along x, around the rim."""
    parts = [_arcs(body, rim) for rim in body.rims]
    x, rise = (np.concatenate(column) for column in zip(*parts, strict=True))
    start = body.low[0]
    run = x[:, 0] - start
    points = np.repeat(x[:, None, :], len(_NODES), axis=1)
    points[:, :, 0] = start + run[:, None] * _NODES
    weights = (rise * run)[:, None] * _WEIGHTS
    return points.reshape(-1, 2), weights.reshape(-1)


def _arcs(body: Body, rim: Rim) -> tuple[np.ndarray, np.ndarray]:
    """Return points of what bounds the body and dy with its weights, counter-clockwise."""
    assert isinstance(rim, (Segment, Oval))
    pieces = 1 if isinstance(rim, Segment) else 8
    s = (np.arange(_SCAN) + 0.5) / _SCAN
    bounds = _exposed(body, rim, s)
    changes = np.flatnonzero(bounds[1:] != bounds[:-1])
    cuts = [0.0, *(_cut(body, rim, s[i], s[i + 1]) for i in changes), 1.0]
    found, rises = [np.zeros((0, 2))], [np.zeros(0)]
    for low, high in pairwise(cuts):
        if not high > low or not _exposed(body, rim, np.array([(low + high) / 2]))[0]:
            continue
        edges = np.linspace(low, high, pieces + 1)
        nodes = (edges[:-1, None] + np.diff(edges)[:, None] * _NODES).reshape(-1)
        weights = (np.diff(edges)[:, None] * _WEIGHTS).reshape(-1)
        x, way = rim.curve(nodes)
        turned = (body.exposed(x, rim.normals(x))[1] * rim.normals(x)).sum(axis=1)
        found.append(x)
        rises.append(way[:, 1] * weights * np.sign(turned))
    return np.concatenate(found), np.concatenate(rises)


def _exposed(body: Body, rim: Segment | Oval, s: np.ndarray) -> np.ndarray:
    x = rim.curve(s)[0]
    return np.abs(body.depth(x)) < 1e-12 * body.size


def _cut(body: Body, rim: Segment | Oval, low: float, high: float) -> float:
    """Return where along a rim it begins or ends to bound the body."""
    first = _exposed(body, rim, np.array([low]))[0]
    for _ in range(50):
        middle = (low + high) / 2
        if _exposed(body, rim, np.array([middle]))[0] == first:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _solid(body: Body) -> tuple[np.ndarray, np.ndarray]:
    """Return many points of a body, all of one weight."""
    count = 2**15
    x = body.low + cover(3, count) * (body.high - body.low)
    inside = body.depth(x) > 0
    weight = float(np.prod(body.high - body.low)) / count
    return x[inside], np.full(int(inside.sum()), weight)
