"""The pieces of a domain that limits leave: insides, faces, slices, parts of a boundary."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pdehvd.errors import ConfigError
from pdehvd.problems.pieces import Piece
from pdehvd.problems.region_limits import CLOSE, Frame, Limits, make_filter
from pdehvd.problems.shapes_surface import Surface


def inside(frame: Frame, limits: Limits) -> list[Piece]:
    """Return the part of the domain itself, or the face or slice that fixed coordinates leave."""
    on_shape = [axis for axis in limits.fixed if axis in frame.columns]
    if len(on_shape) == 1:
        flat = [piece for piece in _surfaces(frame, limits, "") if piece.share > 0]
        if flat:
            return flat
    keep = make_filter(frame, limits.rest)
    return [Piece(limits.box, frame.shape, frame.columns, normal=_normal(frame, limits), keep=keep)]


def _normal(frame: Frame, limits: Limits) -> np.ndarray | None:
    """Return the outward normal of a flat face: zero where only time is fixed."""
    normal = np.zeros(len(frame.names))
    space = [axis for axis in limits.fixed if frame.names[axis] != frame.time]
    if not space:
        return normal if limits.fixed else None
    ends = frame.bounds[space[0]]
    value = limits.fixed[space[0]]
    if len(space) > 1 or space[0] in frame.columns or value not in ends:
        return None
    normal[space[0]] = -1.0 if value == ends[0] else 1.0
    return normal


def boundary(frame: Frame, limits: Limits, name: str) -> list[Piece]:
    """Return the spatial boundary, or the part of it with a name."""
    pieces = list(_surfaces(frame, limits, name))
    if name:
        return pieces
    for axis, coordinate in enumerate(frame.names):
        if coordinate == frame.time or axis in frame.columns:
            continue
        for end in frame.bounds[axis]:
            if not limits.box[axis, 0] <= end <= limits.box[axis, 1]:
                continue
            face = Limits(limits.box.copy(), {**limits.fixed, axis: end}, limits.rest)
            face.box[axis] = end
            pieces += inside(frame, face)
    if not pieces:
        raise ConfigError(
            "this domain has no boundary in space",
            expected=f"an equation such as {frame.names[0]} = {frame.bounds[0, 0]:g}",
        )
    return pieces


def _surfaces(frame: Frame, limits: Limits, name: str) -> Iterator[Piece]:
    """Return the pieces of the shape's boundary, flat ones only where a coordinate is fixed."""
    if frame.shape is None:
        return
    keep = make_filter(frame, limits.rest + limits.on_shape)
    fixed = [(axis, value) for axis, value in limits.fixed.items() if axis in frame.columns]
    leaves = [leaf for leaf in frame.shape.leaves() if not name or name in leaf.names]
    for owner, surface in ((leaf, surface) for leaf in leaves for surface in leaf.surfaces):
        part: Surface | None = surface
        for axis, value in fixed:
            close = CLOSE * float(np.ptp(frame.bounds[axis]))
            part = part.on_plane(frame.columns.index(axis), value, close) if part else None
        if part is not None:
            yield Piece(limits.box, frame.shape, frame.columns, owner, part, None, keep)
