"""Curves in the plane, as graphs over the first coordinate: straight edges and ellipses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

_ROUNDING = 1e-14  # of a coordinate: edges whose ends differ by less are upright
_ON_CIRCLE = 1e-4  # how far a double root of two curves that touch may be off by rounding


@dataclass(frozen=True, eq=False)
class Curves:
    """Edges [S, 2, 2] and ellipses c + F (cos s, sin s) with centers [C, 2] and frames [C, 2, 2].

    Column k < S is the graph of an edge; then follow the lower and the upper half of each ellipse.
    """

    edges: np.ndarray
    centers: np.ndarray
    frames: np.ndarray

    @property
    def columns(self) -> int:
        """Return the number of graphs."""
        return len(self.edges) + 2 * len(self.centers)

    @cached_property
    def _reach(self) -> np.ndarray:
        values: np.ndarray = np.linalg.norm(self.frames[:, 0], axis=1)
        return values

    def ends(self) -> np.ndarray:
        """Return the abscissas [E] at which graphs begin and end."""
        reach = self._reach
        left, right = self.centers[:, 0] - reach, self.centers[:, 0] + reach
        return np.concatenate([self.edges[:, :, 0].ravel(), left, right])

    def upright(self) -> np.ndarray:
        """Return the abscissas [U] of edges that are graphs over a single one."""
        first, second = self.edges[:, 0, 0], self.edges[:, 1, 0]
        reach = np.abs(self.edges[:, :, 0]).max(axis=1, initial=0.0)
        values: np.ndarray = first[np.abs(first - second) <= _ROUNDING * reach]
        return values

    def heights(self, x: np.ndarray) -> np.ndarray:
        """Return the ordinates [N, columns] of all graphs at abscissas [N]; NaN outside a graph."""
        edges = self.edges[:, :, 0]
        away = (x[:, None] < edges.min(axis=1)) | (x[:, None] > edges.max(axis=1))
        away |= edges[:, 0] == edges[:, 1]
        off = np.abs(x[:, None] - self.centers[:, 0]) > self._reach
        result = self.graphs(np.arange(self.columns), x[:, None])
        return np.where(np.concatenate([away, np.repeat(off, 2, axis=1)], axis=1), np.nan, result)

    def graphs(self, columns: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the ordinates of graphs at abscissas; the two arrays are broadcast."""
        columns, x = np.broadcast_arrays(columns, x)
        straight = columns < len(self.edges)
        result = np.empty(x.shape)
        result[straight] = self._straight(columns[straight], x[straight])
        result[~straight] = self._round(columns[~straight] - len(self.edges), x[~straight])
        return result

    def _straight(self, edge: np.ndarray, x: np.ndarray) -> np.ndarray:
        start, along = self.edges[edge, 0], self.edges[edge, 1] - self.edges[edge, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            part = (x - start[:, 0]) / along[:, 0]
        values: np.ndarray = start[:, 1] + np.clip(part, 0.0, 1.0) * along[:, 1]
        return values

    def _round(self, half: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the middle of the ellipse's chord, less or more half its length."""
        reach = self._reach[half // 2]
        across, along = np.moveaxis(self.frames[half // 2], 1, 0)
        center = self.centers[half // 2]
        part = np.clip((x - center[:, 0]) / reach, -1.0, 1.0)
        middle = center[:, 1] + part * np.einsum("nd,nd->n", across, along) / reach
        area = np.abs(across[:, 0] * along[:, 1] - across[:, 1] * along[:, 0])
        chord = np.sqrt((1.0 - part) * (1.0 + part)) * area / reach
        return np.asarray(middle + np.where(half % 2 == 0, -chord, chord))

    def swapped(self) -> Curves:
        """Return the curves with their two coordinates exchanged."""
        return Curves(self.edges[:, :, ::-1], self.centers[:, ::-1], self.frames[:, ::-1])


def curves(
    edges: np.ndarray | None = None,
    center: np.ndarray | None = None,
    frame: np.ndarray | None = None,
) -> Curves:
    """Return edges [S, 2, 2] and at most one ellipse, all of them optional."""
    return Curves(
        np.zeros((0, 2, 2)) if edges is None else edges,
        np.zeros((0, 2)) if center is None else center[None],
        np.zeros((0, 2, 2)) if frame is None else frame[None],
    )


def join_curves(parts: Sequence[Curves]) -> Curves:
    """Return all curves of several sets."""
    return Curves(
        np.concatenate([part.edges for part in parts]),
        np.concatenate([part.centers for part in parts]),
        np.concatenate([part.frames for part in parts]),
    )


def crossings(parts: Sequence[Curves]) -> np.ndarray:
    """Return abscissas [E] at which curves of different sets meet, perhaps with others nearby."""
    found = [np.zeros(0)]
    for first, second in combinations(parts, 2):
        found.append(_edges_meet(first.edges, second.edges))
        for round_, other in ((first, second), (second, first)):
            for center, frame in zip(round_.centers, round_.frames, strict=True):
                found.append(_edges_meet_ellipse(other.edges, center, frame))
        for one in zip(first.centers, first.frames, strict=True):
            for two in zip(second.centers, second.frames, strict=True):
                found.append(_ellipses_meet(one, two))
    return np.concatenate(found)


def _edges_meet(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    start, along = first[:, None, 0], (first[:, 1] - first[:, 0])[:, None]
    other, across = second[None, :, 0], (second[:, 1] - second[:, 0])[None]
    area = along[..., 0] * across[..., 1] - along[..., 1] * across[..., 0]
    offset = other - start
    with np.errstate(divide="ignore", invalid="ignore"):
        s = (offset[..., 0] * across[..., 1] - offset[..., 1] * across[..., 0]) / area
        t = (offset[..., 0] * along[..., 1] - offset[..., 1] * along[..., 0]) / area
    met = (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1)
    values: np.ndarray = (start[..., 0] + np.where(met, s, 0.0) * along[..., 0])[met]
    return values


def _edges_meet_ellipse(edges: np.ndarray, center: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Solve |p + s (q - p)| = 1 where p and q are the ends of edges in the ellipse's own frame."""
    unit = (edges - center) @ np.linalg.inv(frame).T
    start, along = unit[:, 0], unit[:, 1] - unit[:, 0]
    a = np.einsum("sd,sd->s", along, along)
    b = np.einsum("sd,sd->s", start, along)
    c = np.einsum("sd,sd->s", start, start) - 1.0
    root = np.sqrt(np.maximum(b * b - a * c, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.stack([(-b - root) / a, (-b + root) / a], axis=1)
    met = (part >= 0) & (part <= 1) & ((b * b - a * c) >= -(_ON_CIRCLE**2) * a)[:, None]
    x = edges[:, :1, 0] + np.where(met, part, 0.0) * (edges[:, 1:, 0] - edges[:, :1, 0])
    values: np.ndarray = x[met]
    return values


def _ellipses_meet(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Walk along the second ellipse by w = exp(i s); |place| = 1 in the first's frame is a quartic.

    With place = d + G (cos s, sin s): |d|^2 - 1 + 2 d.G (cos s, sin s) + |G (cos s, sin s)|^2 = 0.
    """
    back = np.linalg.inv(first[1])
    d, g = back @ (second[0] - first[0]), back @ second[1]
    linear = 2.0 * d @ g
    (p, q), (_, r) = g.T @ g
    high, middle = ((p - r) / 2 - 1j * q) / 2, (linear[0] - 1j * linear[1]) / 2
    constant = d @ d - 1.0 + (p + r) / 2
    coefficients = np.array([high, middle, constant, np.conj(middle), np.conj(high)])
    size = np.abs(coefficients).max()
    if size <= 1e-14 * (1.0 + d @ d + p + r):
        return np.zeros(0)  # the same ellipse
    coefficients[np.abs(coefficients) <= 1e-15 * size] = 0.0
    roots = np.roots(coefficients)
    angle = np.angle(roots[np.abs(np.abs(roots) - 1.0) < _ON_CIRCLE])
    return np.asarray(
        second[0][0] + second[1][0, 0] * np.cos(angle) + second[1][0, 1] * np.sin(angle)
    )
