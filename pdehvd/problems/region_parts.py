"""The pieces of a domain that limits leave: insides, faces, slices, parts of a boundary."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy

from pdehvd.errors import ConfigError
from pdehvd.problems.frame import Frame
from pdehvd.problems.pieces import Piece
from pdehvd.problems.region_limits import Limits
from pdehvd.problems.region_relations import make_filter
from pdehvd.problems.shapes_surface import Surface


def inside(frame: Frame, limits: Limits) -> list[Piece]:
    """Return the part of the domain itself, or the face or slice that fixed coordinates leave."""
    on_shape = [axis for axis in limits.fixed if axis in frame.columns]
    if len(on_shape) == 1:
        flat = [piece for piece in _surfaces(frame, limits, "") if piece.share > 0]
        if flat:
            return flat
    relation = limits.remaining(frame, on_surface=False)
    if relation == sympy.false:
        return []
    keep = make_filter(frame, relation)
    normal = _normal(frame, limits)
    return [Piece(limits.box, frame.shape, frame.columns, None, None, normal, keep, frame.spread)]


def _normal(frame: Frame, limits: Limits) -> np.ndarray | None:
    """Return the outward normal of a flat face in space; None where there is no single one."""
    space = [axis for axis in limits.fixed if frame.names[axis] in frame.space]
    if len(space) != 1 or space[0] in frame.columns:
        return None
    ends = frame.bounds[space[0]]
    value = limits.fixed[space[0]]
    if value not in ends:
        return None
    normal = np.zeros(len(frame.names))
    normal[space[0]] = -1.0 if value == ends[0] else 1.0
    return normal


def boundary(frame: Frame, limits: Limits, name: str) -> list[Piece]:
    """Return the boundary in space, or the part of it with a name.

    Raises ConfigError where no coordinate is space.
    """
    if not frame.space:
        taken = ", ".join(frame.parameters)
        raise ConfigError(
            "this domain has no boundary in space"
            + (f" (parameters, without derivatives in the equations: {taken})" * bool(taken)),
            expected=f"an equation such as {frame.names[0]} = {frame.bounds[0, 0]:g}",
        )
    pieces = list(_surfaces(frame, limits, name))
    if name:
        return pieces
    for axis, coordinate in enumerate(frame.names):
        if coordinate in frame.space and axis not in frame.columns:
            for end in frame.bounds[axis]:
                if limits.admit(axis, end):
                    pieces += inside(frame, limits.at(axis, float(end)))
    return pieces


def _surfaces(frame: Frame, limits: Limits, name: str) -> Iterator[Piece]:
    """Return the pieces of the shape's boundary, flat ones only where a coordinate is fixed."""
    relation = limits.remaining(frame, on_surface=True)
    if frame.shape is None or relation == sympy.false:
        return
    keep = make_filter(frame, relation)
    fixed = [(axis, value) for axis, value in limits.fixed.items() if axis in frame.columns]
    leaves = [leaf for leaf in frame.shape.leaves() if not name or name in leaf.names]
    for owner, surface in ((leaf, surface) for leaf in leaves for surface in leaf.surfaces):
        part: Surface | None = surface
        for axis, value in fixed:
            column = frame.columns.index(axis)
            part = part.on_plane(column, value, frame.reach(axis)) if part else None
        if part is not None:
            yield Piece(
                limits.box, frame.shape, frame.columns, owner, part, None, keep, frame.spread
            )
