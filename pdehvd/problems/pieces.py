"""Pieces of a region: maps from the unit cube onto parts of a domain, uniform by measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from pdehvd.problems.parameters import Spread
from pdehvd.problems.sequences import Key, Lattice, Sampler, Sobol, Uniform
from pdehvd.problems.shapes_csg import Leaf, Shape
from pdehvd.problems.shapes_surface import Surface

Filter = Callable[[np.ndarray], np.ndarray]
LEAST_SHARE = 1e-4  # of its bounding box, or of its face, that a piece must fill
_MEASURE_POINTS = 2**16


@dataclass(frozen=True)
class Points:
    """Points [N, D] and, on boundaries, outward unit normals [N, D] (zero along time)."""

    x: np.ndarray
    normals: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Piece:
    """A box [D, 2], flat where a coordinate is fixed, times a part of a shape over `columns`.

    With `surface` (of `leaf`) it is that part of the shape's boundary, otherwise of its inside.
    `keep` says which points belong to it, `spread` how its parameters are distributed.
    """

    box: np.ndarray
    shape: Shape | None = None
    columns: tuple[int, ...] = ()
    leaf: Leaf | None = None
    surface: Surface | None = None
    normal: np.ndarray | None = None
    keep: Filter | None = None
    spread: Spread = field(default_factory=Spread)

    @cached_property
    def _range(self) -> np.ndarray:
        """The intervals [D, 2] that are mapped to: all values of a distribution, then a part stays.

        A part of a distribution would have to know its shares.
        """
        result: np.ndarray = self.box.copy()
        axes = [axis for axis in self.spread.axes if axis in self.free]
        result[axes] = self.spread.bounds[axes]
        return result

    @cached_property
    def _narrowed(self) -> list[int]:
        """The coordinates of whose values only those in the box stay."""
        return [int(axis) for axis in np.flatnonzero((self._range != self.box).any(axis=1))]

    @cached_property
    def free(self) -> list[int]:
        """Return the axes along which the box extends, without those of the surface."""
        axes = np.flatnonzero(self.box[:, 1] > self.box[:, 0])
        return [int(axis) for axis in axes if not (self.surface and axis in self.columns)]

    @property
    def parameters(self) -> int:
        """Return how many numbers in [0, 1) a point takes."""
        return len(self.free) + (self.surface.parameters if self.surface else 0)

    @property
    def dimension(self) -> int:
        """Return the dimension of the piece as a set; 0 for a single point."""
        return len(self.free) + (len(self.columns) - 1 if self.surface else 0)

    @property
    def _flat(self) -> bool:
        return any(self.box[axis, 0] == self.box[axis, 1] for axis in self.columns)

    @property
    def oriented(self) -> bool:
        """Return whether its points have outward normals."""
        return self.surface is not None or self.normal is not None

    @property
    def whole(self) -> bool:
        """Return whether every mapped point belongs to the piece."""
        if self.keep is not None or self._narrowed:
            return False
        if self.surface is not None:
            return self.shape is self.leaf
        return self.shape is None or (isinstance(self.shape, Leaf) and self.shape.is_box)

    def _mapped(self, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        x = np.repeat(self.box[:, :1].T, len(unit), axis=0)
        used = self.surface.parameters if self.surface else 0
        low, high = self._range[self.free].T
        x[:, self.free] = low + (high - low) * unit[:, used:]
        self.spread.apply(x, self.free)
        if self.surface is None:
            return x, None if self.normal is None else np.tile(self.normal, (len(unit), 1))
        normals = np.zeros_like(x)
        columns = list(self.columns)
        x[:, columns], normals[:, columns] = self.surface.points(unit[:, :used])
        return x, normals

    def _chosen(self, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Map the unit cube; return points, normals and which of them belong to the piece."""
        x, normals = self._mapped(unit)
        return x, normals, self.belongs(x, normals)

    def belongs(self, x: np.ndarray, normals: np.ndarray | None) -> np.ndarray:
        """Return which points [N, D] of the box or the surface belong to the piece.

        Their normals [N, D] are turned outward in place.
        """
        mask = np.ones(len(x), dtype=bool)
        columns = list(self.columns)
        if self.shape is not None and not self.whole:
            if self.surface is None:
                # In a slice that runs along an edge, every point lies on the boundary.
                test = self.shape.contains if self._flat else self.shape.inside
                mask &= test(x[:, columns])
            elif self.shape is not self.leaf and normals is not None and self.leaf is not None:
                seen, outward = self.shape.exposed(self.leaf, x[:, columns], normals[:, columns])
                mask &= seen
                normals[:, columns] = outward
        for axis in self._narrowed:
            mask &= (x[:, axis] >= self.box[axis, 0]) & (x[:, axis] <= self.box[axis, 1])
        if self.keep is not None:
            mask &= self.keep(x)
        return mask

    @cached_property
    def share(self) -> float:
        """Return the share of mapped points that belong to the piece; 0 below `LEAST_SHARE`."""
        if self.whole:
            return 1.0
        if self.parameters == 0:
            return float(self._chosen(np.zeros((1, 0)))[2][0])
        done = kept = 0
        while kept < 64 and done < 2**18:
            size = max(done * 3, 2**12)
            unit = Uniform(0).points(self.parameters, done + size, done, done + size, ())
            kept += int(self._chosen(unit)[2].sum())
            done += size
        return kept / done if kept >= LEAST_SHARE * done else 0.0

    @cached_property
    def measure(self) -> float:
        """Return length, area or volume; exact for boxes and whole shapes, else within 1e-3."""
        size = float(np.prod(np.ptp(self._range[self.free], axis=1)))
        if self.surface is not None:
            size *= self.surface.measure
        if self.whole or self.parameters == 0:
            return size
        if self.surface is None and self.shape is not None and not (self.keep or self._narrowed):
            around = self.box[list(self.columns)]
            if self.shape.volume is not None and np.array_equal(around, self.shape.bounds):
                return size * self.shape.volume / float(np.prod(around[:, 1] - around[:, 0]))
        unit = Sobol(0).points(self.parameters, _MEASURE_POINTS, 0, _MEASURE_POINTS, ())
        return size * float(self._chosen(unit)[2].mean())

    def _suited(self, sampler: Sampler) -> Sampler:
        # A grid over the number that chooses a triangle would see few triangles.
        crowded = isinstance(sampler, Lattice) and self.parameters > self.dimension
        return Sobol(sampler.seed) if crowded else sampler

    def total(self, sampler: Sampler, count: int) -> int:
        """Return how many points there are when `count` are asked for."""
        if self.dimension == 0:
            return 1
        sampler = self._suited(sampler)
        if self.whole or not isinstance(sampler, Lattice):
            return sampler.total(self.parameters, count)
        return len(_kept(self, sampler, count, ()).x)

    def draw(self, sampler: Sampler, count: int, start: int, stop: int, key: Key) -> Points:
        """Return points start..stop of the `count` that the key stands for."""
        sampler = self._suited(sampler)
        if self.whole or self.dimension == 0:
            rows = sampler.points(self.parameters, count, start, stop, key)
            return Points(*self._mapped(rows))
        # The grid ignores its key, so that one cached set serves all.
        full = _kept(self, sampler, count, () if isinstance(sampler, Lattice) else key)
        normals = None if full.normals is None else full.normals[start:stop].copy()
        return Points(full.x[start:stop].copy(), normals)


def _rejected(piece: Piece, sampler: Sampler, tries: int, key: Key) -> Points:
    unit = sampler.points(piece.parameters, tries, 0, sampler.total(piece.parameters, tries), key)
    x, normals, mask = piece._chosen(unit)
    return Points(x[mask], None if normals is None else normals[mask])


@lru_cache(maxsize=8)
def _kept(piece: Piece, sampler: Sampler, count: int, key: Key) -> Points:
    """Return the first `count` points of a sequence that belong to the piece.

    Every process draws the whole set, since which points are kept is known only then.
    """
    tries = int(count / piece.share * 1.05) + 16
    if isinstance(sampler, Lattice):
        while tries > 0:
            points = _rejected(piece, sampler, tries, key)
            if len(points.x) <= count:
                return points
            tries -= max(1, tries // 50)
        return points
    while True:
        points = _rejected(piece, sampler, tries, key)
        if len(points.x) >= count:
            normals = None if points.normals is None else points.normals[:count]
            return Points(points.x[:count], normals)
        tries *= 2
