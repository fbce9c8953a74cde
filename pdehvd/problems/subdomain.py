"""A subdomain: a part of the domain by limits of coordinates or by a shape, and its boundary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy
from pydantic import Field, model_validator

from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import exact, symbol
from pdehvd.problems.frame import Frame
from pdehvd.problems.pieces import Filter, Piece
from pdehvd.problems.region_limits import Limits
from pdehvd.problems.regions import Region, limits_of
from pdehvd.problems.shapes import GeometrySpec
from pdehvd.problems.shapes_csg import PROBE, Shape
from pdehvd.spec import Spec

REST = "rest"


class SubdomainSpec(Spec):
    """`{where: x < 0.5}` or `{shape: {disk: ...}}`; `fields` are those that live there."""

    where: str | None = Field(None, description="limits of coordinates in space, or 'rest'")
    shape: GeometrySpec | None = Field(None, description="a shape, as under `geometry`")
    fields: list[str] | None = Field(
        None, description="the fields that live in this subdomain; all by default"
    )

    @model_validator(mode="after")
    def _one_place(self) -> SubdomainSpec:
        if (self.where is None) == (self.shape is None):
            message = "does not say where it lies" if self.where is None else "says twice where"
            raise ConfigError(f"the subdomain {message}", (), "'where' or 'shape'")
        if self.fields == []:
            raise ConfigError("'fields' is empty", ("fields",), "a field, or no 'fields' for all")
        return self

    @property
    def rest(self) -> bool:
        """Whether it is what other subdomains leave over."""
        return self.where is not None and self.where.strip() == REST

    def place(self, frame: Frame) -> Place:
        """Return where it lies, unless it is the rest. Raises `ConfigError` with the path."""
        if self.shape is not None:
            return shape_place(frame, self.shape)
        return text_place(frame, self.where or "")


class Place(ABC):
    """Where a subdomain lies."""

    @property
    @abstractmethod
    def condition(self) -> sympy.Basic:
        """Return the relation of coordinates that holds there; true for what is left over."""

    @abstractmethod
    def contains(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, D] of the domain lie in it or on its boundary."""

    @abstractmethod
    def interior(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, D] of the domain lie in it and off its boundary."""

    @abstractmethod
    def faces(self, keep: Filter) -> Iterator[Piece]:
        """Return its boundary where `keep` holds, with normals that point out of it."""

    @property
    def rest(self) -> bool:
        """Whether it is what the others leave over."""
        return False


@dataclass(frozen=True)
class Rest(Place):
    """What other subdomains leave over."""

    frame: Frame
    others: tuple[Place, ...]

    @property
    def condition(self) -> sympy.Basic:
        return sympy.true

    def contains(self, x: np.ndarray) -> np.ndarray:
        # Where others meet, or lie flush with the boundary, no point nearby is left over.
        result = self.interior(x)
        for axis, extent in enumerate(np.ptp(self.frame.bounds, axis=1)):
            for step in (-PROBE * extent, PROBE * extent):
                moved = x.copy()
                moved[:, axis] += step
                result |= _within(self.frame, moved) & self.interior(moved)
        return result

    def interior(self, x: np.ndarray) -> np.ndarray:
        return ~_any([place.contains(x) for place in self.others], len(x))

    def faces(self, keep: Filter) -> Iterator[Piece]:
        return iter(())

    @property
    def rest(self) -> bool:
        return True


@dataclass(frozen=True)
class Box(Place):
    """The part of the domain within limits of some coordinates."""

    frame: Frame
    limits: Limits

    @property
    def _ends(self) -> list[tuple[int, int, float]]:
        """The ends at which it is cut off the domain: coordinate, 0 or 1, value."""
        found = zip(*np.nonzero(self.limits.box != self.frame.bounds), strict=True)
        return [(int(a), int(end), float(self.limits.box[a, end])) for a, end in found]

    @property
    def condition(self) -> sympy.Basic:
        relations = []
        for axis, end, value in self._ends:
            name = symbol(self.frame.names[axis])
            relations.append(name <= exact(value) if end else name >= exact(value))
        return sympy.And(*relations)

    def _inside(self, x: np.ndarray, room: float) -> np.ndarray:
        result = np.ones(len(x), dtype=bool)
        for axis, end, value in self._ends:
            beyond = (x[:, axis] - value) * (1 if end else -1)
            result &= beyond <= room * self.frame.reach(axis)
        return result

    def contains(self, x: np.ndarray) -> np.ndarray:
        return self._inside(x, 1.0)

    def interior(self, x: np.ndarray) -> np.ndarray:
        return self._inside(x, -1.0)

    def faces(self, keep: Filter) -> Iterator[Piece]:
        frame = self.frame
        for axis, end, value in self._ends:
            normal = np.zeros(len(frame.names))
            normal[axis] = 1.0 if end else -1.0
            box = self.limits.at(axis, value).box
            yield Piece(box, frame.shape, frame.columns, None, None, normal, keep, frame.spread)


@dataclass(frozen=True)
class Body(Place):
    """The part of the domain inside a shape over some of the coordinates."""

    frame: Frame
    shape: Shape
    columns: tuple[int, ...]

    @cached_property
    def condition(self) -> sympy.Basic:
        return self.shape.level([symbol(self.frame.names[axis]) for axis in self.columns]) >= 0

    def contains(self, x: np.ndarray) -> np.ndarray:
        return self.shape.contains(x[:, list(self.columns)])

    def interior(self, x: np.ndarray) -> np.ndarray:
        return self.shape.interior(x[:, list(self.columns)])

    def faces(self, keep: Filter) -> Iterator[Piece]:
        frame = self.frame
        for leaf in self.shape.leaves():
            for surface in leaf.surfaces:
                yield Piece(
                    *(frame.bounds, self.shape, self.columns, leaf, surface, None, keep),
                    frame.spread,
                )


def text_place(frame: Frame, text: str) -> Place:
    """Return the place of a text such as `x < 0.5`. Raises `ConfigError`."""
    limits = limits_of(frame, text)
    place = Box(frame, limits)
    expected = "limits of coordinates in space such as 'x < 0.5', a shape, or 'rest'"
    if limits.rest:
        raise ConfigError(f"'{text}' is not made of limits joined by 'and'", (), expected)
    if limits.fixed:
        raise ConfigError(f"'{text}' is a face or a slice", (), expected)
    for axis, _, _ in place._ends:
        if frame.names[axis] not in frame.space:
            message = f"'{text}' limits {frame.names[axis]}, which is not a coordinate in space"
            raise ConfigError(message, (), expected)
    if not place._ends:
        raise ConfigError(f"'{text}' is the whole domain", (), expected)
    return place


def shape_place(frame: Frame, spec: GeometrySpec) -> Place:
    """Return the place of a shape, over the first coordinates in space. Raises `ConfigError`."""
    shape = spec.build()
    columns = [axis for axis, name in enumerate(frame.names) if name in frame.space]
    if len(columns) < shape.dimension:
        raise ConfigError(
            f"a shape in {shape.dimension} dimensions in a domain of {len(columns)}",
            ("shape",),
            "limits such as 'x < 0.5'",
        )
    place = Body(frame, shape, tuple(columns[: shape.dimension]))
    place.condition  # noqa: B018 - refuses shapes without a function that tells inside from outside
    return place


def _any(masks: list[np.ndarray], count: int) -> np.ndarray:
    result: np.ndarray = np.logical_or.reduce([np.zeros(count, dtype=bool), *masks])
    return result


def interface(frame: Frame, one: Place, other: Place) -> tuple[Region | None, bool]:
    """Return the common boundary of two places inside the domain; None where they have none.

    The second value says whether its normals point out of `one`, or else out of `other`.
    """
    owner, beyond = (other, one) if one.rest else (one, other)

    def shared(x: np.ndarray) -> np.ndarray:
        inside: np.ndarray = beyond.contains(x) & _off_boundary(frame, x)
        return inside

    pieces = tuple(piece for piece in owner.faces(shared) if piece.share > 0)
    return Region("interface", pieces) if pieces else None, owner is one


def _within(frame: Frame, x: np.ndarray) -> np.ndarray:
    """Return which points [N, D] lie in the domain."""
    low, high = frame.bounds.T
    inside: np.ndarray = np.all((x >= low) & (x <= high), axis=1)
    if frame.shape is not None:
        inside &= frame.shape.inside(x[:, list(frame.columns)])
    return inside


def _off_boundary(frame: Frame, x: np.ndarray) -> np.ndarray:
    """Return which points [N, D] of the domain are off its boundary in space."""
    result = np.ones(len(x), dtype=bool)
    for axis, name in enumerate(frame.names):
        if name in frame.space and axis not in frame.columns:
            low, high = frame.bounds[axis]
            result &= (x[:, axis] > low + frame.reach(axis)) & (
                x[:, axis] < high - frame.reach(axis)
            )
    if frame.shape is not None:
        result &= frame.shape.interior(x[:, list(frame.columns)])
    return result
