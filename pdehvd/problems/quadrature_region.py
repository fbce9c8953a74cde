"""Quadrature over regions: faces and edges, curved boundaries, insides.

Curves are cut where a part begins or ends. What no rule fits - a part of a curved surface, a fine
mesh, a box in many dimensions - is covered by points of equal weight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pdehvd.problems.charts import Charts
from pdehvd.problems.pieces import Piece
from pdehvd.problems.quadrature import Rule, box_order, box_rule, product, shape_rule
from pdehvd.problems.quadrature_plane import gauss
from pdehvd.problems.regions import Region
from pdehvd.problems.sequences import Sobol
from pdehvd.problems.shapes_csg import Intersection, Shape
from pdehvd.problems.shapes_mesh import Cuboid
from pdehvd.problems.shapes_plane import Rectangle

# Which of points, by the numbers of intervals and places in them, belong to a piece.
Mask = Callable[[np.ndarray, np.ndarray], np.ndarray]
# Numbers of charts, places in them, and weights.
_Nodes = tuple[np.ndarray, np.ndarray, np.ndarray]

MOST_NODES = 40_000
EQUAL_POINTS = 2**13
# Nodes along a curve in so many parts, and along each side of a chart in so many.
_ON_CURVES = ((4, 32), (32, 16), (10**9, 4))
_ON_SURFACES = ((4, 16), (12, 12), (100, 5), (1000, 3))
_LOOKS, _MOST_LOOKS = 256, 2**15  # along each part of a curve, and in all, for where it is cut
_HALVINGS = 50


@dataclass(frozen=True)
class RegionRule:
    """Nodes [Q, D], weights [Q], and outward normals [Q, D] where all nodes have them.

    `exact` says that it is a quadrature rule, and not points of equal weight.
    """

    x: np.ndarray
    weights: np.ndarray
    normals: np.ndarray | None
    exact: bool = True


def nodes_along(count: int) -> int | None:
    """Return the Gauss-Legendre nodes for each of `count` coordinates; None where too many."""
    order = box_order(count)
    return order if order**count <= MOST_NODES else None


def region_rule(region: Region) -> RegionRule:
    """Return a rule over a region by length, area, ...; a sum over it where it is single points."""
    rules = [_rule(piece) or _equal(piece) for piece in region.pieces]
    normals = [rule.normals for rule in rules if rule.normals is not None]
    return RegionRule(
        np.concatenate([rule.x for rule in rules]),
        np.concatenate([rule.weights for rule in rules]),
        np.concatenate(normals) if len(normals) == len(rules) else None,
        all(rule.exact for rule in rules),
    )


def _equal(piece: Piece) -> RegionRule:
    sampler = Sobol(0)
    count = piece.total(sampler, EQUAL_POINTS)
    points = piece.draw(sampler, count, 0, count, ())
    return RegionRule(points.x, np.full(count, piece.measure / count), points.normals, False)


def _rule(piece: Piece) -> RegionRule | None:
    """Return a quadrature rule; None where there is none, or it would be too long."""
    if piece.surface is not None:
        return _on_surface(piece, piece.surface.charts())
    if piece.keep is None:
        return _inside(piece)
    return _on_line(piece) if len(piece.free) == 1 else None


def _inside(piece: Piece) -> RegionRule | None:
    """Return a rule over a box, or a part of a shape, or a section of it, times a box."""
    order = nodes_along(len(piece.free))
    inner = [axis for axis in piece.free if axis in piece.columns]
    if order is None:
        return None
    outer = [axis for axis in piece.free if axis not in inner]
    rule = box_rule(piece.box[outer], order)
    if piece.shape is not None and inner:
        rule = product(_of_shape(piece, piece.shape, inner), rule)
    x = np.repeat(piece.box[:, :1].T, len(rule.weights), axis=0)
    x[:, [*inner, *outer]] = rule.nodes
    normals = None if piece.normal is None else np.tile(piece.normal, (len(x), 1))
    return RegionRule(x, rule.weights, normals)


def _of_shape(piece: Piece, shape: Shape, inner: list[int]) -> Rule:
    """Return a rule over the part of a shape, or of its section, that lies in the piece's box."""
    low, high = shape.bounds.T.copy()
    columns = piece.columns
    fixed = {columns.index(axis): piece.box[axis, 0] for axis in columns if axis not in inner}
    for axis in inner:
        low[columns.index(axis)], high[columns.index(axis)] = piece.box[axis]
    if not np.array_equal([low, high], shape.bounds.T):
        box = Rectangle if shape.dimension == 2 else Cuboid
        shape = Intersection((shape, box(low, high)))
    return shape_rule(shape, fixed)


def _on_line(piece: Piece) -> RegionRule | None:
    """Return a rule over the parts of a straight line that a condition leaves."""
    (axis,) = piece.free
    low, high = piece.box[axis]

    def at(unit: np.ndarray) -> np.ndarray:
        x = np.repeat(piece.box[:, :1].T, len(unit), axis=0)
        x[:, axis] = low + (high - low) * unit
        return x

    def mask(which: np.ndarray, unit: np.ndarray) -> np.ndarray:
        return piece.belongs(at(unit), None)

    _, unit, weights = _gauss_on(*_kept(1, mask))
    if not len(unit):
        return None
    x = at(unit)
    normals = None if piece.normal is None else np.tile(piece.normal, (len(x), 1))
    return RegionRule(x, weights * (high - low), normals)


def _on_surface(piece: Piece, charts: Charts) -> RegionRule | None:
    """Return a rule over curves, cut where they leave the piece, or over whole surfaces."""
    order = nodes_along(len(piece.free) + charts.dimension)
    if order is None:
        return None
    nodes = _cut(piece, charts) if charts.dimension == 1 else _whole(piece, charts)
    if nodes is None or not len(nodes[0]):
        return None
    which, unit, weights = nodes
    box = box_rule(piece.box[piece.free], order)
    if len(which) * len(box.weights) > MOST_NODES:
        return None
    count = len(box.weights)
    placed = _placed(
        piece,
        charts,
        np.repeat(which, count),
        np.repeat(unit, count, axis=0),
        np.tile(box.nodes, (len(which), 1)),
    )
    weights = np.multiply.outer(weights, box.weights).ravel() * placed.density
    return RegionRule(placed.x, weights, placed.normals)


@dataclass(frozen=True)
class _OnPiece:
    """Points of a surface in the domain [N, D]; `mask` says which of them belong to the piece."""

    x: np.ndarray
    normals: np.ndarray
    density: np.ndarray
    mask: np.ndarray


def _placed(
    piece: Piece, charts: Charts, which: np.ndarray, unit: np.ndarray, others: np.ndarray
) -> _OnPiece:
    """Return points of charts, at values `others` [N, free] of the free coordinates."""
    at = charts.at(which, unit)
    columns = list(piece.columns)
    x = np.repeat(piece.box[:, :1].T, len(which), axis=0)
    x[:, piece.free] = others
    x[:, columns] = at.x
    normals = np.zeros_like(x)
    normals[:, columns] = at.normals
    mask = piece.belongs(x, normals)
    return _OnPiece(x, normals, at.density, mask)


def _cut(piece: Piece, charts: Charts) -> _Nodes | None:
    """Return nodes on the parts of curves that belong to the piece; None if they move with time."""
    low, high = piece.box[piece.free].T
    shares = np.random.default_rng(0).random((4, len(piece.free)))
    places = low + shares * (high - low)

    def mask(which: np.ndarray, unit: np.ndarray, row: int = 0) -> np.ndarray:
        others = np.tile(places[row], (len(which), 1))
        return _placed(piece, charts, which, unit[:, None], others).mask

    if piece.keep is not None and piece.free:
        looks = _looks(charts.count)
        first = mask(*looks)
        if any((mask(*looks, row) != first).any() for row in (1, 2, 3)):
            return None
    which, unit, weights = _gauss_on(*_kept(charts.count, mask))
    return which, unit[:, None], weights


def _whole(piece: Piece, charts: Charts) -> _Nodes | None:
    """Return nodes on the charts of a surface; None where a part of it is not in the piece."""
    order = next((order for most, order in _ON_SURFACES if charts.count <= most), None)
    if order is None or piece.keep is not None or piece.share < 1.0:
        return None
    s, ds = gauss(order)
    square = np.stack(np.meshgrid(s, s, indexing="ij"), axis=-1).reshape(-1, 2)
    weights = np.tile(np.multiply.outer(ds, ds).ravel(), charts.count)
    which = np.repeat(np.arange(charts.count), len(square))
    return which, np.tile(square, (charts.count, 1)), weights


def _looks(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return midpoints of equal parts of `count` unit intervals."""
    each = int(np.clip(_MOST_LOOKS // count, 8, _LOOKS))
    return np.repeat(np.arange(count), each), np.tile((np.arange(each) + 0.5) / each, count)


def _kept(count: int, mask: Mask) -> tuple[np.ndarray, np.ndarray]:
    """Return the parts [I, 2] that a mask keeps of `count` unit intervals, and of which each is."""
    kept, places = (part.reshape(count, -1) for part in (mask(*_looks(count)), _looks(count)[1]))
    row, left = np.nonzero(kept[:, 1:] != kept[:, :-1])
    before, low, high = kept[row, left], places[row, left], places[row, left + 1]
    for _ in range(_HALVINGS if row.size else 0):
        middle = (low + high) / 2
        same = mask(row, middle) == before
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    found: list[tuple[int, float, float]] = []
    for each in range(count):
        ends = [0.0, *high[row == each], 1.0]
        turns = pairwise(ends)
        found += [(each, *part) for turn, part in enumerate(turns) if kept[each, 0] != turn % 2]
    return np.array([each for each, *_ in found], int), np.reshape([p[1:] for p in found], (-1, 2))


def _gauss_on(which: np.ndarray, ends: np.ndarray) -> _Nodes:
    """Return numbers of intervals [N], places in them and weights from parts [I, 2] of each."""
    order = next(order for most, order in _ON_CURVES if len(which) <= most)
    s, ds = gauss(order)
    size = ends[:, 1:] - ends[:, :1]
    unit = ends[:, :1] + size * s
    return np.repeat(which, order), unit.ravel(), (size * ds).ravel()
