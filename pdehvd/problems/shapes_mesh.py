"""Closed triangle meshes: from files, and cuboids."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import shapely
import sympy

from pdehvd.errors import ConfigError
from pdehvd.problems.r_functions import strip
from pdehvd.problems.shapes_csg import PROBE, TOLERANCE, Leaf
from pdehvd.problems.shapes_surface import Surface
from pdehvd.problems.shapes_surface_solid import Triangles

# A rotation in general position, so that rays meet no edge of a mesh made of round numbers.
_AXES = np.linalg.qr(np.array([[0.83, 0.31, 0.47], [-0.29, 0.91, 0.37], [0.53, -0.41, 0.71]]))[0]
_AXES *= np.sign(np.linalg.det(_AXES))
_COARSE = 10_000  # triangles
_NEAR_CORNER = 0.999  # of the way from the middle of a triangle to a corner


class Mesh(Leaf):
    """A body bounded by triangles [T, 3, 3], counter-clockwise as seen from outside."""

    dimension = 3

    def __init__(self, corners: np.ndarray) -> None:
        self._triangles = Triangles(corners)
        self._corners = corners @ _AXES

    @property
    def bounds(self) -> np.ndarray:
        """Return the bounds [3, 2]."""
        corners = self._triangles.corners.reshape(-1, 3)
        return np.stack([corners.min(axis=0), corners.max(axis=0)], axis=1)

    @property
    def volume(self) -> float:
        """Return the volume, by the divergence theorem."""
        first, second, third = np.moveaxis(self._triangles.corners - self.bounds[:, 0], 1, 0)
        return float(np.einsum("td,td->", first, np.cross(second, third)) / 6)

    @property
    def faces(self) -> np.ndarray:
        """Return the triangles [T, 3, 3]."""
        return self._triangles.corners

    @property
    def surfaces(self) -> tuple[Surface, ...]:
        """Return the triangles."""
        return (self._triangles,)

    @cached_property
    def _tree(self) -> shapely.STRtree:
        low, high = self._corners.min(axis=1), self._corners.max(axis=1)
        return shapely.STRtree(shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1]))

    def _pairs(self, x: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return turned points, and the pairs (point, triangle) that may meet along the ray."""
        turned = x @ _AXES
        low, high = turned[:, :2] - margin, turned[:, :2] + margin
        boxes = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
        point, triangle = self._tree.query(boxes)
        return turned, point, triangle

    def factors(self, x: Sequence[sympy.Expr]) -> list[sympy.Expr]:
        """Raise `ConfigError`: a mesh is not described by smooth functions."""
        raise ConfigError(
            "no function that is positive inside is known for a mesh",
            expected="balls, cylinders and cuboids, or the condition under conditions",
        )

    def inside(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, 3] are inside: the ray upwards leaves the body an odd number."""
        point, _ = self._crossings(x)
        values: np.ndarray = np.bincount(point, minlength=len(x)) % 2 == 1
        return values

    def _covered(self, x: np.ndarray) -> np.ndarray:
        """Return in how many parts of the body points [N, 3] are: leavings of the ray - entries."""
        point, triangle = self._crossings(x)
        up = np.sign((self._triangles.normals @ _AXES)[triangle, 2])
        return np.rint(np.bincount(point, up, minlength=len(x)))

    def overlaps(self) -> bool:
        """Return whether parts of the body cover each other, or one is turned inside out.

        Looked for just behind and before every triangle, at its middle; in coarse bodies also
        near its corners.
        """
        corners, depth = self._triangles.corners, PROBE * self.diagonal
        x = middle = corners.mean(axis=1, keepdims=True)
        if len(corners) <= _COARSE:
            x = np.concatenate([middle, middle + _NEAR_CORNER * (corners - middle)], axis=1)
        step = depth * self._triangles.normals[:, None]
        doubtful = np.concatenate([x - step, x + step]).reshape(-1, 3)
        # A ray through an edge is counted wrongly; those of points nearby are not.
        for shift in (0.0, 0.31, -0.17):
            x = doubtful + shift * depth * np.array([0.48, 0.6, 0.64])
            doubtful = doubtful[~np.isin(self._covered(x), (0, 1))]
        return bool(len(doubtful))

    def _crossings(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs (point, triangle) where the ray from a point [N, 3] meets a triangle."""
        turned, point, triangle = self._pairs(x, 0.0)
        a, b, c = np.moveaxis(self._corners[triangle], 1, 0)
        p = turned[point]
        u, v = (b - a)[:, :2], (c - a)[:, :2]
        w = (p - a)[:, :2]
        area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            s = (w[:, 0] * v[:, 1] - w[:, 1] * v[:, 0]) / area
            t = (u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0]) / area
            height = a[:, 2] + s * (b - a)[:, 2] + t * (c - a)[:, 2]
            hit = (s >= 0) & (t >= 0) & (s + t <= 1) & (height > p[:, 2])
        return point[hit], triangle[hit]

    def touches(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, 3] lie on a triangle."""
        margin = TOLERANCE * self.diagonal
        turned, point, triangle = self._pairs(x, margin)
        corners = self._corners[triangle]
        normal = (self._triangles.normals @ _AXES)[triangle]
        offset = turned[point] - corners[:, 0]
        near = np.abs(np.einsum("nd,nd->n", offset, normal)) <= margin
        for side in range(3):
            start, stop = corners[:, side], corners[:, (side + 1) % 3]
            inward = np.cross(normal, stop - start)
            length = np.linalg.norm(stop - start, axis=1)
            reach = np.einsum("nd,nd->n", turned[point] - start, inward)
            near &= reach >= -margin * length
        return np.bincount(point[near], minlength=len(x)) > 0


class Cuboid(Mesh):
    """An upright cuboid between two corners [3]."""

    is_box = True

    def __init__(self, low: np.ndarray, high: np.ndarray) -> None:
        self._box = np.stack([low, high], axis=1)
        faces = []
        for axis in range(3):
            first, second = (axis + 1) % 3, (axis + 2) % 3
            for end in (0, 1):
                corners = np.tile(low.astype(float), (4, 1))
                corners[:, axis] = self._box[axis, end]
                corners[[1, 2], first] = high[first]
                corners[[2, 3], second] = high[second]
                ring = corners if end else corners[::-1]
                faces += [ring[[0, 1, 2]], ring[[0, 2, 3]]]
        super().__init__(np.stack(faces))

    def _depth(self, x: np.ndarray) -> np.ndarray:
        values: np.ndarray = np.minimum(x - self._box[:, 0], self._box[:, 1] - x).min(axis=1)
        return values

    def factors(self, x: Sequence[sympy.Expr]) -> list[sympy.Expr]:
        """Return a function for each pair of opposite faces."""
        ends = zip(x, self._box.tolist(), strict=True)
        return [strip(one, low, high) for one, (low, high) in ends]

    def inside(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, 3] are inside."""
        return self._depth(x) > 0

    def touches(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, 3] lie on a face."""
        values: np.ndarray = np.abs(self._depth(x)) <= TOLERANCE * self.diagonal
        return values


def read_mesh(path: Path, scale: float = 1.0) -> Mesh:
    """Read a closed surface from any file that trimesh reads (STL, OBJ, PLY, OFF, GLB).

    Raises ConfigError where the file is missing, cannot be read, or its surface is not closed.
    """
    import trimesh

    if not path.is_file():
        raise ConfigError(f"there is no file {path}")
    try:
        mesh = trimesh.load(path, force="mesh")
        assert isinstance(mesh, trimesh.Trimesh)  # that is what `force` is for
        corners = np.asarray(mesh.triangles, np.float64) * scale
    except Exception as error:  # every reader of trimesh fails in its own way
        raise ConfigError(f"{path} cannot be read as a mesh: {error}") from None
    if len(corners) == 0 or not np.isfinite(corners).all():
        raise ConfigError(f"{path} holds no finite triangles")
    if not mesh.is_watertight or not mesh.is_winding_consistent:
        raise ConfigError(
            f"the surface in {path} does not enclose a body", expected="a closed, oriented surface"
        )
    body = Mesh(corners)
    body = body if body.volume > 0 else Mesh(corners[:, ::-1])
    if body.overlaps():
        raise ConfigError(
            f"parts of the body in {path} overlap, or one lies within another",
            expected="parts that are apart, cavities whose faces are turned inwards; "
            "a union or difference of files, one for each part",
        )
    return body
