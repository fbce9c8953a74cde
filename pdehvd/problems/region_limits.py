"""What a conjunction of relations leaves of a domain's box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy

from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import compile_numpy
from pdehvd.problems.pieces import Filter
from pdehvd.problems.shapes_csg import Shape

CLOSE = 1e-9  # relative to the extent of a coordinate


@dataclass(frozen=True)
class Frame:
    """What a text about regions may refer to: coordinates with bounds [D, 2], time, a shape."""

    names: tuple[str, ...]
    bounds: np.ndarray
    time: str | None = None
    shape: Shape | None = None
    columns: tuple[int, ...] = ()
    constants: Mapping[str, float] = field(default_factory=dict)

    @property
    def boundaries(self) -> tuple[str, ...]:
        """Return the names of boundaries that the geometry gives."""
        leaves = self.shape.leaves() if self.shape else ()
        return tuple(dict.fromkeys(name for leaf in leaves for name in leaf.names))

    def show(self, axis: int) -> str:
        """Return a coordinate with its bounds, for messages."""
        low, high = self.bounds[axis]
        return f"{self.names[axis]} in [{low:g}, {high:g}]"


@dataclass
class Limits:
    """One conjunction taken apart: fixed coordinates, a smaller box, and what remains."""

    box: np.ndarray
    fixed: dict[int, float] = field(default_factory=dict)
    rest: list[Any] = field(default_factory=list)
    on_shape: list[Any] = field(default_factory=list)


def _linear(frame: Frame, relation: Any) -> tuple[int, float, int] | None:
    """Solve a relation of one coordinate: (axis, value, direction); None where it is no such."""
    if not isinstance(relation, (sympy.Eq, sympy.Ge, sympy.Gt, sympy.Le, sympy.Lt)):
        return None
    difference = relation.lhs - relation.rhs
    symbols = sorted(difference.free_symbols, key=str)
    if len(symbols) != 1:
        return None
    slope = sympy.diff(difference, symbols[0])
    if slope.free_symbols or slope == 0:
        return None
    value = float(-difference.subs(symbols[0], 0) / slope)
    if isinstance(relation, sympy.Eq):
        return frame.names.index(str(symbols[0])), value, 0
    upwards = isinstance(relation, (sympy.Ge, sympy.Gt)) == bool(slope > 0)
    return frame.names.index(str(symbols[0])), value, 1 if upwards else -1


def find_limits(frame: Frame, text: str, conjunction: Sequence[Any]) -> Limits:
    limits = Limits(frame.bounds.copy())
    for relation in conjunction:
        found = _linear(frame, relation)
        if found is None:
            if isinstance(relation, sympy.Eq):
                raise ConfigError(
                    f"'{relation.lhs} = {relation.rhs}' does not fix one coordinate",
                    expected="an equation such as "
                    f"{frame.names[0]} = {frame.bounds[0, 0]:g}, or a named boundary",
                )
            limits.rest.append(relation)
        elif found[2] == 0:
            _fix(frame, limits, found[0], found[1])
        else:
            _clip(frame, limits, relation, found)
    for axis, value in limits.fixed.items():
        if not limits.box[axis, 0] <= value <= limits.box[axis, 1]:
            raise ConfigError(f"'{text.strip()}' never holds", expected=frame.show(axis))
        limits.box[axis] = value
    return limits


def _fix(frame: Frame, limits: Limits, axis: int, value: float) -> None:
    low, high = frame.bounds[axis]
    close = CLOSE * (high - low)
    name = frame.names[axis]
    if not low - close <= value <= high + close:
        near = low if value < low else high
        raise ConfigError(
            f"{name} = {value:g} is outside {frame.show(axis)}", nearest=f"{name} = {near:g}"
        )
    value = next((end for end in (low, high) if abs(value - end) <= close), value)
    if limits.fixed.setdefault(axis, value) != value:
        raise ConfigError(f"{name} cannot be both {limits.fixed[axis]:g} and {value:g}")


def _clip(frame: Frame, limits: Limits, relation: Any, found: tuple[int, float, int]) -> None:
    axis, value, direction = found
    if axis in frame.columns:
        limits.on_shape.append(relation)
    box = limits.box[axis]
    if direction > 0:
        box[0] = max(box[0], value)
    else:
        box[1] = min(box[1], value)
    if box[0] > box[1]:
        raise ConfigError(
            f"{frame.names[axis]} {'above' if direction > 0 else 'below'} {value:g} is outside "
            f"{frame.show(axis)}",
            expected=frame.show(axis),
        )


def make_filter(frame: Frame, relations: Sequence[Any]) -> Filter | None:
    if not relations:
        return None
    evaluate = compile_numpy([sympy.And(*relations)], frame.names)

    def keep(x: np.ndarray) -> np.ndarray:
        return evaluate(dict(zip(frame.names, x.T, strict=True)))[0].astype(bool)

    return keep
