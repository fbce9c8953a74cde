"""Coordinates that may be time without being called so, while `boundary` takes their end faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from pdehvd.numerics.expressions import Partial, partial_name, symbol
from pdehvd.problems.geometry import Domain

_LIKELY_NAMES = ("t", "time", "tau")


@dataclass(frozen=True)
class TimeDoubts:
    """What tells a time from a coordinate of space.

    `partials` are all derivatives in the equations, `equations` their expressions, `conditions`
    the texts of the regions where each condition holds, `unknowns` the initial guesses.
    """

    domain: Domain
    fields: tuple[str, ...]
    partials: Sequence[Partial]
    equations: Mapping[str, sympy.Expr]
    conditions: Mapping[str, Sequence[str]]
    unknowns: Mapping[str, float]

    def notes(self) -> tuple[str, ...]:
        """Return a warning for each coordinate that may be time; none where one is known to be."""
        if self.domain.time is not None:
            return ()
        space, of_shape = self.domain.space, self.domain.frame.columns
        axes = [axis for axis, name in enumerate(self.domain.names) if name in space]
        return tuple(note for axis in axes if axis not in of_shape and (note := self._note(axis)))

    def _note(self, axis: int) -> str:
        taken = {
            condition: ends
            for condition, texts in self.conditions.items()
            if (ends := self._ends(axis, filter(_is_boundary, texts)))
        }
        reason = self._reason(axis) if taken else ""
        if not reason:
            return ""
        name = self.domain.names[axis]
        faces = [f"{name} = {end:g}" for end in sorted(set().union(*taken.values()))]
        return (
            f"warning: 'boundary' in condition{'s' * (len(taken) > 1)} {', '.join(taken)} "
            f"includes the face{'s' * (len(faces) > 1)} {' and '.join(faces)}; "
            f"if {name} is time ({reason}), write 'time: {name}' under problem"
        )

    def _ends(self, axis: int, texts: Iterable[str]) -> set[float]:
        """Return the values of a coordinate whose faces texts name."""
        pieces = (piece for text in texts for piece in self.domain.region(text).pieces)
        return {
            float(piece.box[axis, 0])
            for piece in pieces
            if piece.normal is not None and piece.normal[axis] != 0
        }

    def _reason(self, axis: int) -> str:
        """Return what makes a coordinate look like time, or nothing."""
        if not self.partials:
            return ""
        highest = np.max([partial.orders for partial in self.partials], axis=0)
        if highest[axis] == 1 and highest.max() > 1:
            return "the equations are of first order in it, and of higher order in others"
        if self.domain.names[axis].lower() in _LIKELY_NAMES:
            return "as its name suggests"
        for name, expression in self.equations.items():
            if any(axis == self._opposite(expression, field) for field in self.fields):
                return f"the equation {name} is hyperbolic"
        others = [t for texts in self.conditions.values() for t in texts if not _is_boundary(t)]
        if highest[axis] == 1 and self._ends(axis, others) == {self.domain.bounds[axis, 0]}:
            return "it has a condition at its lower end only"
        return ""

    def _opposite(self, expression: sympy.Expr, field: str) -> int | None:
        """Return the coordinate whose highest derivative has another sign than those of the others.

        Of two coordinates it is the last one.
        """
        signs = dict(self._signs(expression, field))
        positive = [axis for axis, sign in signs.items() if sign > 0]
        negative = [axis for axis, sign in signs.items() if sign < 0]
        if not positive or not negative:
            return None
        if len(signs) == 2:
            return max(signs)
        alone = min(positive, negative, key=len)
        return alone[0] if len(alone) == 1 else None

    def _signs(self, expression: sympy.Expr, field: str) -> Iterator[tuple[int, int]]:
        """Return the signs of c (ik)^m for the highest derivative c d^m/dx^m by each coordinate.

        They are taken in the middle of the domain; where c depends on fields there is none.
        """
        names = self.domain.names
        middle = dict(zip(names, self.domain.bounds.mean(axis=1), strict=True))
        known = {symbol(name): value for name, value in {**middle, **self.unknowns}.items()}
        for axis in range(len(names)):
            for order in (4, 3, 2, 1):
                orders = tuple(order * (other == axis) for other in range(len(names)))
                derivative = symbol(partial_name(Partial(field, orders), names))
                factor = sympy.diff(expression, derivative)
                if factor == 0:
                    continue
                value = factor.subs(known)
                if order % 2 == 0 and value.is_number and value.is_real:
                    yield axis, int(sympy.sign(value)) * (-1) ** (order // 2)
                break


def _is_boundary(text: str) -> bool:
    return text.split()[:1] == ["boundary"]
