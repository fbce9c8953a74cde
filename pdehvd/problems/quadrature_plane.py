"""Quadrature over a region of the plane between straight edges and ellipses.

The region is cut at all abscissas where a curve begins, ends or meets another. In between it
consists of strips low(x) < y < high(x), each the image of the unit square under
x = a + (b - a) (1 - cos(pi t)) / 2, y = low + (high - low) s, which is smooth up to its ends also
where an ellipse turns back. Strips are cut into cells, with a Gauss-Legendre rule in each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pdehvd.problems.curves import Curves, crossings, join_curves

Mask = Callable[[np.ndarray], np.ndarray]
Tests = Callable[[np.ndarray], np.ndarray]

ORDER = 16
_LADDER = (2, 3, 4, 6, 8, 10, 12, ORDER)
_MERGED = 1e-9  # of the width: cuts that are closer are one
_CUTS = 12
_TOLERANCE = 1e-13


@dataclass(frozen=True)
class Rule:
    """Nodes [Q, k] and positive weights [Q]."""

    nodes: np.ndarray
    weights: np.ndarray


@lru_cache(maxsize=64)
def gauss(order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights [order] of the Gauss-Legendre rule on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    return (nodes + 1.0) / 2.0, weights / 2.0


@lru_cache(maxsize=1)
def _legendre() -> np.ndarray:
    """Return two orthonormal Legendre polynomials of half the order, then the last two."""
    values = np.polynomial.legendre.legvander(2.0 * gauss(ORDER)[0] - 1.0, ORDER - 1)
    chosen = [ORDER // 2 - 2, ORDER // 2 - 1, ORDER - 2, ORDER - 1]
    return np.asarray((values * np.sqrt(2.0 * np.arange(ORDER) + 1.0))[:, chosen])


def estimate(terms: np.ndarray) -> np.ndarray:
    """Return the error [M] of a rule from its terms [M, ORDER, T], weights times test functions.

    It is about the Legendre coefficient of twice the order. Those of half the order, m, and of the
    order, e, say how fast they fall: by e / m once more where the fall is algebraic, faster else.
    """
    sizes = np.abs(np.einsum("mnt,nk->mkt", terms, _legendre()))
    half, full = sizes[:, :2].max(axis=1), sizes[:, 2:].max(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(full > 0, full * np.minimum(full / half, 1.0), 0.0)
    return np.asarray(error.max(axis=1))


def cuts(places: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return sorted places within [low, high] and its ends, those close together as one."""
    width = high - low
    inside = np.sort(places[(places > low + _MERGED * width) & (places < high - _MERGED * width)])
    kept = np.concatenate([inside[:1], inside[1:][np.diff(inside) > _MERGED * width]])
    return np.concatenate([[low], kept, [high]])


def intervals(heights: np.ndarray, x: np.ndarray, inside: Mask) -> list[np.ndarray]:
    """Return the pairs [I, 2] of graphs that bound the inside, for each abscissa [P] of [P, K]."""
    order = np.argsort(heights, axis=1)
    sorted_ = np.take_along_axis(heights, order, axis=1)
    middles = (sorted_[:, 1:] + sorted_[:, :-1]) / 2
    known = np.isfinite(middles)
    mask = np.zeros(middles.shape, dtype=bool)
    across = np.broadcast_to(x[:, None], middles.shape)
    if known.any():
        mask[known] = inside(np.stack([across[known], middles[known]], axis=1))
    edge = np.zeros((len(x), 1), dtype=np.int8)
    change = np.diff(np.concatenate([edge, mask.astype(np.int8), edge], axis=1), axis=1)
    return [
        np.stack([row[turn == 1], row[turn == -1]], axis=1)
        for row, turn in zip(order, change, strict=True)
    ]


@dataclass(frozen=True)
class _Cells:
    """Cells [M] of strips: abscissas a, b, graphs low, high, and a part of the unit square."""

    curves: Curves
    strips: np.ndarray  # a, b
    graphs: np.ndarray  # low, high
    square: np.ndarray  # [M, 2, 2]

    def take(self, which: np.ndarray) -> _Cells:
        return _Cells(self.curves, self.strips[which], self.graphs[which], self.square[which])

    def halves(self, axis: int) -> tuple[_Cells, _Cells]:
        """Return both halves of each cell along an axis of the unit square."""
        middle = self.square[:, axis].mean(axis=1)
        first, second = self.square.copy(), self.square.copy()
        first[:, axis, 1] = middle
        second[:, axis, 0] = middle
        return (
            _Cells(self.curves, self.strips, self.graphs, first),
            _Cells(self.curves, self.strips, self.graphs, second),
        )

    def rule(self, orders: tuple[int, int]) -> Rule:
        """Return nodes [M, Q, 2] and weights [M, Q]."""
        (s, ds), (t, dt) = gauss(orders[0]), gauss(orders[1])
        size = self.square[:, :, 1] - self.square[:, :, 0]
        angle = np.pi * (self.square[:, :1, 0] + size[:, :1] * s)
        width = self.strips[:, 1:] - self.strips[:, :1]
        x = self.strips[:, :1] + width * (1.0 - np.cos(angle)) / 2
        dx = width * np.pi / 2 * np.sin(angle) * size[:, :1] * ds
        low = self.curves.graphs(self.graphs[:, :1], x)
        high = self.curves.graphs(self.graphs[:, 1:], x)
        height = self.square[:, 1:, :1] + size[:, 1:, None] * t
        y = low[:, :, None] + (high - low)[:, :, None] * height
        weights = (dx * np.maximum(high - low, 0.0) * size[:, 1:])[:, :, None] * dt
        nodes = np.stack([np.broadcast_to(x[:, :, None], y.shape), y], axis=-1)
        count = orders[0] * orders[1]
        return Rule(nodes.reshape(len(y), count, 2), weights.reshape(len(y), count))

    def sums(self, orders: tuple[int, int], tests: Tests) -> np.ndarray:
        """Return the integrals [M, T] of the test functions."""
        values: np.ndarray = self.terms(orders, tests).sum(axis=(1, 2))
        return values

    def terms(self, orders: tuple[int, int], tests: Tests) -> np.ndarray:
        """Return weights times test functions [M, *orders, T]."""
        rule = self.rule(orders)
        values = tests(rule.nodes.reshape(-1, 2))
        values = rule.weights.reshape(-1, 1) * values
        return values.reshape(len(rule.weights), *orders, values.shape[1])


def _strips(parts: Sequence[Curves], inside: Mask) -> _Cells:
    every = join_curves(parts)
    ends = every.ends()
    places = np.concatenate([ends, crossings(parts)])
    edges = cuts(places, float(ends.min()), float(ends.max()))
    middles = (edges[1:] + edges[:-1]) / 2
    pairs = intervals(every.heights(middles), middles, inside)
    panels = np.repeat(np.arange(len(middles)), [len(pair) for pair in pairs])
    graphs = np.concatenate([np.zeros((0, 2), dtype=int), *pairs])
    strips = np.stack([edges[:-1], edges[1:]], axis=1)[panels]
    return _Cells(every, strips, graphs, np.tile([0.0, 1.0], (len(panels), 2, 1)))


def plane_rule(parts: Sequence[Curves], inside: Mask, tests: Tests, thrifty: bool = True) -> Rule:
    """Return a rule over the points between the curves that `inside` keeps.

    It integrates the test functions (N points to [N, T], of size one) to about 1e-12 of the area;
    `thrifty` looks for the fewest nodes that do.
    """
    cells = _strips(parts, inside)
    area = float(cells.rule((ORDER, ORDER)).weights.sum())
    done: list[_Cells] = []
    for _ in range(_CUTS):
        if len(cells.strips) == 0:
            break
        cells = _refined(cells, tests, _TOLERANCE * area, done)
    done.append(cells)
    if thrifty:
        rules = [rule for cells in done for rule in _thrifty(cells, tests, _TOLERANCE * area)]
    else:
        rules = [cells.rule((ORDER, ORDER)) for cells in done]
    nodes = np.concatenate([np.zeros((0, 2)), *(rule.nodes.reshape(-1, 2) for rule in rules)])
    weights = np.concatenate([np.zeros(0), *(rule.weights.reshape(-1) for rule in rules)])
    return Rule(nodes[weights > 0], weights[weights > 0])


def _refined(cells: _Cells, tests: Tests, tolerance: float, done: list[_Cells]) -> _Cells:
    """Put cells that are fine into `done`; return halves of the others along their worse axis."""
    terms = cells.terms((ORDER, ORDER), tests)
    errors = [estimate(terms.sum(axis=2 - axis)) for axis in (0, 1)]
    worse = np.argmax(errors, axis=0)
    fine = np.max(errors, axis=0) <= tolerance
    done.append(cells.take(fine))
    rest = [cells.take(~fine & (worse == axis)).halves(axis) for axis in (0, 1)]
    flat = [part for pair in rest for part in pair]
    return _Cells(
        cells.curves,
        np.concatenate([part.strips for part in flat]),
        np.concatenate([part.graphs for part in flat]),
        np.concatenate([part.square for part in flat]),
    )


def _thrifty(cells: _Cells, tests: Tests, tolerance: float) -> list[Rule]:
    """Return rules with as few nodes as reach the tolerance."""
    pairs = sorted(((s, t) for s in _LADDER for t in _LADDER), key=lambda pair: pair[0] * pair[1])
    rules = []
    truth = cells.sums((ORDER, ORDER), tests)
    for pair in pairs:
        if len(truth) == 0:
            break
        fine = np.abs(cells.sums(pair, tests) - truth).max(axis=1) <= tolerance
        fine |= pair == (ORDER, ORDER)
        rules.append(cells.take(fine).rule(pair))
        cells, truth = cells.take(~fine), truth[~fine]
    return rules
