"""What a conjunction of relations leaves of a domain's box."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import sympy

from pdehvd.errors import ConfigError
from pdehvd.problems.frame import Frame
from pdehvd.problems.region_relations import Bound, settle, solve_relation


class Contradiction(ConfigError):  # noqa: N818 - no fault where alternatives remain
    """Relations that hold nowhere together."""


@dataclass
class Limits:
    """One conjunction taken apart: fixed coordinates, a smaller box, and what remains.

    `outside` [D, 2] says which ends of the box a strict sign leaves out; `on_shape` holds the
    relations that the box stands for, of coordinates of the shape.
    """

    box: np.ndarray
    outside: np.ndarray
    fixed: dict[int, float] = field(default_factory=dict)
    rest: list[sympy.Basic] = field(default_factory=list)
    on_shape: list[sympy.Basic] = field(default_factory=list)

    def admit(self, axis: int, value: float) -> bool:
        """Return whether a coordinate may have this value."""
        low, high = self.box[axis]
        at_open_end = (self.box[axis] == value) & self.outside[axis]
        return bool(low <= value <= high and not at_open_end.any())

    def at(self, axis: int, value: float) -> Limits:
        """Return the same limits with one more coordinate fixed."""
        box, outside = self.box.copy(), self.outside.copy()
        box[axis], outside[axis] = value, False
        return Limits(box, outside, {**self.fixed, axis: value}, self.rest, self.on_shape)

    def remaining(self, frame: Frame, on_surface: bool) -> sympy.Basic:
        """Return the relation that points of the box, or of the shape's surface, must fulfil."""
        relations = [*self.rest, *self.on_shape] if on_surface else self.rest
        free = frame.columns if on_surface else ()
        return settle(frame, sympy.And(*relations), self.box, free)


def find_limits(frame: Frame, text: str, conjunction: Sequence[sympy.Basic]) -> Limits:
    """Return the limits of relations that hold together.

    Raises ConfigError where one is outside the domain or fixes no coordinate, `Contradiction`
    where they never hold together.
    """
    limits = Limits(frame.bounds.copy(), np.zeros((len(frame.names), 2), dtype=bool))
    for relation, bound in _bounds(frame, conjunction):
        if bound is not None and bound.fixes:
            _fix(frame, limits, bound)
        elif bound is not None and bound.direction:
            _clip(frame, limits, relation, bound)
        elif isinstance(relation, sympy.Eq):
            raise ConfigError(
                f"'{relation.lhs} = {relation.rhs}' does not fix one coordinate",
                expected="an equation such as "
                f"{frame.names[0]} = {frame.bounds[0, 0]:g}, or a named boundary",
            )
        else:
            limits.rest.append(relation)
    return _closed(frame, limits, text)


def _bounds(
    frame: Frame, conjunction: Sequence[sympy.Basic]
) -> Iterator[tuple[sympy.Basic, Bound | None]]:
    """Yield each relation with its bound; values of one coordinate that differ by rounding are one.

    The value of an equation is the one that stays, since a face may have it.
    """
    solved = [
        solve_relation(frame, relation) if relation.is_Relational else None
        for relation in conjunction
    ]
    known: list[Bound] = []
    for one in sorted((one for one in solved if one), key=lambda one: not one.fixes):
        if not any(_same(frame, one, other) for other in known):
            known.append(one)
    for relation, bound in zip(conjunction, solved, strict=True):
        if bound is None:
            yield relation, None
        else:
            same = next(other for other in known if _same(frame, bound, other))
            yield relation, replace(bound, value=same.value)


def _same(frame: Frame, one: Bound, other: Bound) -> bool:
    return one.axis == other.axis and abs(one.value - other.value) <= frame.reach(one.axis)


def _closed(frame: Frame, limits: Limits, text: str) -> Limits:
    """Return the limits with the coordinates fixed that have one value left."""
    for axis, (low, high) in enumerate(limits.box.copy()):
        value = limits.fixed.get(axis, float(low) if low == high else None)
        if low > high or (value is not None and not limits.admit(axis, value)):
            raise Contradiction(f"'{text.strip()}' never holds", expected=frame.show(axis))
        if value is not None:
            limits = limits.at(axis, value)
    return limits


def _fix(frame: Frame, limits: Limits, bound: Bound) -> None:
    axis, value = bound.axis, bound.value
    low, high = frame.bounds[axis]
    name = frame.names[axis]
    if not low <= value <= high:
        near = low if value < low else high
        raise ConfigError(
            f"{name} = {value:g} is outside {frame.show(axis)}", nearest=f"{name} = {near:g}"
        )
    if limits.fixed.setdefault(axis, value) != value:
        raise Contradiction(f"{name} cannot be both {limits.fixed[axis]:g} and {value:g}")


def _clip(frame: Frame, limits: Limits, relation: sympy.Basic, bound: Bound) -> None:
    axis, value, upwards = bound.axis, bound.value, bound.above
    side, far = (0, 1) if upwards else (1, 0)
    beyond = (value - frame.bounds[axis, far]) * bound.direction
    if beyond > 0 or (beyond == 0 and not bound.at):
        raise ConfigError(
            f"{frame.names[axis]} {'above' if upwards else 'below'} {value:g} is outside "
            f"{frame.show(axis)}",
            expected=frame.show(axis),
        )
    if axis in frame.columns:
        limits.on_shape.append(relation)
    ahead = (value - limits.box[axis, side]) * bound.direction
    if ahead > 0:
        limits.box[axis, side], limits.outside[axis, side] = value, not bound.at
    elif ahead == 0:
        limits.outside[axis, side] |= not bound.at
