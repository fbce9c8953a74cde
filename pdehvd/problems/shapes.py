"""The `geometry:` section: shapes named by their key, joined by set operations."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BeforeValidator, Discriminator, Field, Tag

from pdehvd.errors import ConfigError, nearest, within
from pdehvd.problems.shapes_arguments import (
    Corners,
    CuboidCorners,
    Oval,
    Pair,
    Positive,
    Rod,
    Round,
    RoundSolid,
)
from pdehvd.problems.shapes_csg import Difference, Intersection, Shape
from pdehvd.problems.shapes_csg import Union as Joined
from pdehvd.problems.shapes_mesh import Cuboid, read_mesh
from pdehvd.problems.shapes_plane import Ellipse, Polygon, Rectangle
from pdehvd.problems.shapes_solid import Ball, Cylinder
from pdehvd.spec import DataFile, Spec
from pdehvd.synonyms import fold_name


class ShapeSpec(Spec):
    """A shape; `name` is what its part of the boundary can be called under `on:`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")] | None = None

    @abstractmethod
    def _shape(self) -> Shape:
        """Return the shape without its name."""

    def build(self) -> Shape:
        """Return the shape. Raises ConfigError for empty shapes and unreadable files."""
        shape = self._shape()
        if self.name is not None:
            for leaf in shape.leaves():
                leaf.names = (*leaf.names, self.name)
        return shape


class RectangleSpec(ShapeSpec):
    """An upright rectangle."""

    rectangle: Corners

    def _shape(self) -> Shape:
        return Rectangle(np.array(self.rectangle.from_), np.array(self.rectangle.to))


class DiskSpec(ShapeSpec):
    """A disk, with its exact circle as boundary."""

    disk: Round

    def _shape(self) -> Shape:
        return Ellipse(np.array(self.disk.center), np.full(2, self.disk.radius))


class EllipseSpec(ShapeSpec):
    """An ellipse."""

    ellipse: Oval

    def _shape(self) -> Shape:
        oval = self.ellipse
        return Ellipse(np.array(oval.center), np.array(oval.radii), oval.angle)


class PolygonSpec(ShapeSpec):
    """A simple polygon by its corners, in either order."""

    polygon: list[Pair]

    def _shape(self) -> Shape:
        return Polygon(np.array(self.polygon, dtype=float).reshape(-1, 2))


class BallSpec(ShapeSpec):
    """A ball."""

    ball: RoundSolid

    def _shape(self) -> Shape:
        return Ball(np.array(self.ball.center), self.ball.radius)


class CuboidSpec(ShapeSpec):
    """An upright cuboid."""

    cuboid: CuboidCorners

    def _shape(self) -> Shape:
        return Cuboid(np.array(self.cuboid.from_), np.array(self.cuboid.to))


class CylinderSpec(ShapeSpec):
    """A solid cylinder."""

    cylinder: Rod

    def _shape(self) -> Shape:
        rod = self.cylinder
        return Cylinder(np.array(rod.from_), np.array(rod.to), rod.radius)


class StlSpec(ShapeSpec):
    """A body bounded by the closed surface in an STL file; `scale` converts its unit."""

    stl: DataFile
    scale: Positive = 1.0

    def _shape(self) -> Shape:
        with within("stl"):
            return read_mesh(Path(self.stl), self.scale)


class MeshSpec(ShapeSpec):
    """A body bounded by the closed surface in any file that trimesh reads (OBJ, PLY, OFF, GLB)."""

    mesh: DataFile
    scale: Positive = 1.0

    def _shape(self) -> Shape:
        with within("mesh"):
            return read_mesh(Path(self.mesh), self.scale)


def _join(key: str, make: Callable[[list[Shape]], Shape], parts: list[ShapeSpec]) -> Shape:
    shapes = []
    for index, part in enumerate(parts):
        with within(key, index):
            shapes.append(part.build())
    with within(key):
        return make(shapes)


class UnionSpec(ShapeSpec):
    """All points of any of the shapes."""

    union: Annotated[list[GeometrySpec], Field(min_length=1)]

    def _shape(self) -> Shape:
        return _join("union", Joined, self.union)


class IntersectionSpec(ShapeSpec):
    """The points that all the shapes share."""

    intersection: Annotated[list[GeometrySpec], Field(min_length=1)]

    def _shape(self) -> Shape:
        return _join("intersection", Intersection, self.intersection)


class DifferenceSpec(ShapeSpec):
    """The first shape without the others."""

    difference: Annotated[list[GeometrySpec], Field(min_length=2)]

    def _shape(self) -> Shape:
        return _join("difference", Difference, self.difference)


_KINDS: dict[str, type[ShapeSpec]] = {
    "rectangle": RectangleSpec,
    "disk": DiskSpec,
    "ellipse": EllipseSpec,
    "polygon": PolygonSpec,
    "ball": BallSpec,
    "cuboid": CuboidSpec,
    "cylinder": CylinderSpec,
    "stl": StlSpec,
    "mesh": MeshSpec,
    "union": UnionSpec,
    "intersection": IntersectionSpec,
    "difference": DifferenceSpec,
}

_BOXES = ("interval", "line", "segment", "hypercube", "domain")


def _kind(value: object) -> str | None:
    given = value if isinstance(value, dict) else getattr(type(value), "model_fields", {})
    return next((key for key in _KINDS if key in given), None)


def _unknown(value: dict[str, object]) -> ConfigError:
    """Return the error of a mapping in which no key is a shape."""
    expected, name = "one of " + ", ".join(_KINDS), str(value.get("name"))
    if name in _KINDS:
        return ConfigError(
            f"'{name}' is a shape, not a name", ("name",), f"the shape as key, {name}: ..."
        )
    given = next((str(key) for key in value if key != "name"), "")
    if fold_name(given) in _BOXES:
        expected += "; an interval or a box needs no geometry, only bounds of its coordinates"
    message = f"unknown shape '{given}'" if given else "no shape is given"
    return ConfigError(message, (given,) if given else (), expected, nearest(given, _KINDS))


def _checked(value: object) -> object:
    """Refuse what names no shape, or two."""
    if isinstance(value, ShapeSpec):
        return value
    if not isinstance(value, dict):
        raise ConfigError(
            f"{value!r} is not a shape", expected="a mapping such as {disk: {radius: 1}}"
        )
    found = [key for key in value if key in _KINDS]
    if not found:
        raise _unknown(value)
    if len(found) > 1:
        raise ConfigError(
            f"{' and '.join(found)} are two shapes", expected="one, or a union of both"
        )
    return value


if TYPE_CHECKING:
    GeometrySpec = ShapeSpec
else:
    _any = reduce(or_, (Annotated[spec, Tag(key)] for key, spec in _KINDS.items()))
    GeometrySpec = Annotated[_any, Discriminator(_kind), BeforeValidator(_checked)]
