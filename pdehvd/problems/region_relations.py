"""Relations of coordinates: solved for one of them, settled on a box, tested at points.

`<` and `<=` mean what they say also on faces: values that differ by rounding count as equal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy

from pdehvd.numerics.expressions import compile_numpy
from pdehvd.problems.frame import Frame
from pdehvd.problems.pieces import Filter

_ABOVE = (sympy.Gt, sympy.Ge)
_BELOW = (sympy.Lt, sympy.Le)


@dataclass(frozen=True)
class Bound:
    """A relation of one coordinate: whether it holds below, at and above a value."""

    axis: int
    value: float
    below: bool
    at: bool
    above: bool

    @property
    def fixes(self) -> bool:
        """Return whether it holds at the value only."""
        return self.at and not self.below and not self.above

    @property
    def direction(self) -> int:
        """Return 1 where it holds above only, -1 where below only, else 0."""
        return int(self.above) - int(self.below)


@lru_cache(maxsize=1024)
def solve_relation(frame: Frame, relation: sympy.Basic) -> Bound | None:
    """Solve a relation for its coordinate; None where it has several or is not linear.

    A value within rounding of a bound of the coordinate becomes that bound.
    """
    difference = relation.lhs - relation.rhs
    symbols = difference.free_symbols
    if len(symbols) != 1:
        return None
    (coordinate,) = symbols
    slope = sympy.diff(difference, coordinate)
    if slope.free_symbols or slope == 0:
        return None
    axis = frame.names.index(str(coordinate))
    value = float(-difference.subs(coordinate, 0) / slope)
    value = next((e for e in frame.bounds[axis] if abs(value - e) <= frame.reach(axis)), value)
    below, above = _sides(relation)
    if slope < 0:
        below, above = above, below
    return Bound(axis, float(value), below, _at(relation), above)


def _sides(relation: sympy.Basic) -> tuple[bool, bool]:
    """Return whether a relation holds where its left side is smaller, and where it is larger."""
    unequal = isinstance(relation, sympy.Ne)
    return unequal or isinstance(relation, _BELOW), unequal or isinstance(relation, _ABOVE)


def _at(relation: sympy.Basic) -> bool:
    """Return whether a relation holds where both its sides are equal."""
    return isinstance(relation, (sympy.Eq, sympy.Le, sympy.Ge))


def settle(
    frame: Frame, relation: sympy.Basic, box: np.ndarray, free: Collection[int] = ()
) -> sympy.Basic:
    """Return what is left of a relation almost everywhere on a box [D, 2], flat or not.

    Coordinates in `free` are not looked at.
    """
    if isinstance(relation, (sympy.And, sympy.Or)):
        return relation.func(*(settle(frame, part, box, free) for part in relation.args))
    bound = solve_relation(frame, relation) if relation.is_Relational else None
    if bound is None or bound.axis in free:
        return relation
    low, high = box[bound.axis]
    if low == high:
        away = low - bound.value
        at = abs(away) <= frame.reach(bound.axis)
        return sympy.true if _holds(bound, at, away) else sympy.false
    if bound.value <= low:
        return sympy.true if bound.above else sympy.false
    if bound.value >= high:
        return sympy.true if bound.below else sympy.false
    if bound.above == bound.below:
        return sympy.true if bound.above else sympy.false
    return relation


def _holds(bound: Bound, at: bool, away: float) -> bool:
    return bound.at if at else bound.above if away > 0 else bound.below


def make_filter(frame: Frame, relation: sympy.Basic) -> Filter | None:
    """Return the function from points [N, D] to whether a relation holds there; None for `true`.

    Both sides count as equal where moving the point by rounding could make them so.
    """
    if relation == sympy.true:
        return None
    leaves = list(dict.fromkeys(_leaves(relation)))
    compiled = compile_numpy([leaf.lhs - leaf.rhs for leaf in leaves], frame.names)
    used = {str(symbol) for symbol in relation.free_symbols}
    axes = [axis for axis, name in enumerate(frame.names) if name in used]

    def differences(x: np.ndarray) -> np.ndarray:
        return np.stack(compiled(dict(zip(frame.names, x.T, strict=True))))

    def keep(x: np.ndarray) -> np.ndarray:
        values = differences(x)
        slack = np.zeros_like(values)
        with np.errstate(invalid="ignore"):
            for axis in axes:
                moved = x.copy()
                moved[:, axis] += frame.reach(axis)
                slack += np.abs(differences(moved) - values)
        slack[~np.isfinite(slack)] = 0.0
        truths = {
            leaf: _true(leaf, value, room)
            for leaf, value, room in zip(leaves, values, slack, strict=True)
        }
        return _joined(relation, truths)

    return keep


def _leaves(relation: sympy.Basic) -> Iterator[sympy.Basic]:
    if isinstance(relation, (sympy.And, sympy.Or)):
        for part in relation.args:
            yield from _leaves(part)
    else:
        yield relation


def _true(leaf: sympy.Basic, value: np.ndarray, room: np.ndarray) -> np.ndarray:
    below, above = _sides(leaf)
    at = np.abs(value) <= room
    return np.where(at, _at(leaf), (above & (value > 0)) | (below & (value < 0)))


def _joined(relation: sympy.Basic, truths: Mapping[sympy.Basic, np.ndarray]) -> np.ndarray:
    if relation in truths:
        return truths[relation]
    parts = [_joined(part, truths) for part in relation.args]
    join = np.logical_and if isinstance(relation, sympy.And) else np.logical_or
    values: np.ndarray = join.reduce(parts)
    return values
