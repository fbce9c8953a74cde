"""Random conditions of all kinds, each with what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import sympy

from scripts.meaning import functions
from scripts.meaning.domain import Meaning, Place
from scripts.meaning.functions import Axis, Quantity
from scripts.meaning.integrals import integral, values
from scripts.meaning.regions import Regions
from scripts.meaning.tables import table


@dataclass
class Condition:
    """A condition: `given` in the config; what must vanish of `quantities`, and where.

    One of `region`, `points` [N, D], `periodic` and `over` says of which kind it is. Integrals
    over the axes `over` hold at `points`, whose values along these axes count for nothing; their
    `target` is subtracted. `zero` says that the exact solution fulfils it.
    """

    name: str
    given: dict[str, Any]
    quantities: list[Quantity]
    region: Meaning | None = None
    points: np.ndarray | None = None
    periodic: int | None = None
    over: tuple[int, ...] = ()
    target: float = 0.0
    zero: bool = True

    @property
    def sampled(self) -> bool:
        """Return whether its points are drawn."""
        return self.region is not None or self.periodic is not None


@dataclass
class Conditions:
    """Makes the conditions of a problem whose solution is known."""

    rng: Random
    place: Place
    axes: Sequence[Axis]
    exact: Mapping[str, sympy.Expr]
    sums: Mapping[str, list[sympy.Expr]]
    joined: str | None
    files: dict[str, str] = field(default_factory=dict)

    def all(self, hard: Mapping[str, Any]) -> list[Condition]:
        """Return some conditions, and one at least where no field is imposed by construction."""
        kinds = [self._value, self._slope, self._value, self._robin, self._at, self._data]
        kinds += [self._integral]
        if self.place.time:
            kinds += [self._start, self._start]
        chosen = self.rng.sample(kinds, self.rng.randint(0 if hard else 1, 4))
        if self.joined and not hard:
            chosen.append(self._sides)
        return [one for i, make in enumerate(chosen) if (one := make(f"c{i}")) is not None]

    @property
    def _space(self) -> list[Axis]:
        return [self.axes[axis] for axis in self.place.space]

    def _field(self) -> str:
        return self.rng.choice(list(self.exact))

    def _own(self, field: str) -> Quantity:
        return functions.derivative(self.rng, field, {})

    def _right(self, quantity: Quantity, region: Meaning | None = None) -> sympy.Expr:
        """Return a quantity of the exact solution, perhaps on the face that a region is."""
        value = quantity.of(self.exact)
        fixed = [part.fixed for part in region.parts] if region else []
        if len(fixed) == 1 and self.rng.random() < 0.5:
            value = value.subs(
                {self.axes[a].symbol: sympy.Rational(v) for a, v in fixed[0].items()}
            )
        return value

    def _equal(
        self,
        name: str,
        region: Meaning,
        sides: list[tuple[Quantity, sympy.Expr]],
        zero: bool = True,
    ) -> Condition:
        given: dict[str, Any] = {
            "on": region.text,
            "equal": {left.text: functions.text(right) for left, right in sides},
        }
        quantities = [functions.minus(left, right) for left, right in sides]
        return Condition(name, given, quantities, region, zero=zero)

    def _regions(self) -> Regions:
        return Regions(self.rng, self.place, self.axes)

    def _value(self, name: str) -> Condition:
        """Return the values of one or two fields on a region."""
        region = self._regions().any()
        fields = self.rng.sample(list(self.exact), self.rng.randint(1, min(2, len(self.exact))))
        sides = [(self._own(field), self._right(self._own(field), region)) for field in fields]
        return self._equal(name, region, sides)

    def _start(self, name: str) -> Condition:
        """Return values and speeds at the first instant."""
        axis = self.place.names.index(self.place.time or "")
        region = Meaning(
            f"{self.place.time} = {self.axes[axis].texts[0]}", [self.place.face(axis, 0)]
        )
        field = self._field()
        speed = functions.derivative(self.rng, field, {self.axes[axis]: 1})
        sides = [(one, self._right(one)) for one in (self._own(field), speed)]
        return self._equal(name, region, sides)

    def _slope(self, name: str) -> Condition:
        """Return any derivatives on a region."""
        region, field = self._regions().any(), self._field()
        orders = dict.fromkeys(self.rng.sample(list(self.axes), 1), self.rng.randint(1, 3))
        one = functions.derivative(self.rng, field, orders)
        return self._equal(name, region, [(one, self._right(one))])

    def _robin(self, name: str) -> Condition | None:
        """Return a derivative along the normal, alone or together with the field."""
        if not self.place.space:
            return None
        region, field = self._regions().any(oriented=True), self._field()
        slope = functions.along_normal(field, self._space)
        own = functions.scaled(sympy.Rational(self.rng.randint(1, 7), 2), self._own(field))
        left = functions.total([slope, own]) if self.rng.random() < 0.5 else slope
        right, zero = self._flux(field, left, region)
        return self._equal(name, region, [(left, right)], zero)

    def _flux(self, field: str, left: Quantity, region: Meaning) -> tuple[sympy.Expr, bool]:
        """Return the right side, exact where the region has one normal."""
        normals = {axis.name: sympy.Integer(0) for axis in self._space}
        value, parts = left.of(self.exact), region.parts
        if len(parts) != 1 or parts[0].rim is not None:
            # By the longest extent: a flux must not drown what the field adds along any of them.
            longest = max(axis.length for axis in self._space)
            size = functions.size_of(self.exact[field]) / functions.short(longest)
            return size * self._space[0].unit, False
        for axis in parts[0].fixed:
            normals[self.place.names[axis]] = sympy.Integer(int(parts[0].sign))
        return value.subs({functions.normal(name): n for name, n in normals.items()}), True

    def _inner_points(self, count: int) -> np.ndarray:
        """Return points [count, D] of the domain, in numbers of few digits."""
        every = self.place.part().all[0]
        rows = self.rng.sample(range(len(every)), count * 4)
        x = np.array([[float(f"{value:.5g}") for value in row] for row in every[rows]])
        return x[self.place.depth(x) > 1e-6][:count]

    def _at(self, name: str) -> Condition:
        """Return values at points."""
        x, field = self._inner_points(self.rng.randint(1, 4)), self._field()
        if self.place.body is None and self.rng.random() < 0.5:
            x[0] = self.place.bounds[:, self.rng.randint(0, 1)]
        rows = [dict(zip(self.place.names, row, strict=True)) for row in x.tolist()]
        left = self._own(field)
        right = self._right(left)
        given: dict[str, Any] = {"at": rows, "equal": {left.text: functions.text(right)}}
        return Condition(name, given, [functions.minus(left, right)], points=x)

    def _data(self, name: str) -> Condition:
        """Return a table of values."""
        x = self._inner_points(self.rng.randint(3, 12))
        fields = self.rng.sample(list(self.exact), self.rng.randint(1, len(self.exact)))
        columns = dict(zip(self.place.names, x.T, strict=True))
        measured = values([self.exact[field] for field in fields], self.place.names, x)
        file = f"{name}{self.rng.choice(['.csv', '.txt', '.dat'])}"
        columns |= dict(zip(fields, measured, strict=True))
        self.files[file] = table(self.rng, columns)
        given: dict[str, Any] = {"data": file}
        if self.rng.random() < 0.5:
            given["fields"] = fields = self.rng.sample(fields, self.rng.randint(1, len(fields)))
        order = fields if "fields" in given else [f for f in self.exact if f in fields]
        quantities = [functions.minus(self._own(f), self.exact[f]) for f in order]
        return Condition(name, given, quantities, points=x)

    def _sides(self, name: str) -> Condition:
        """Return that two faces are joined."""
        axis = self.place.names.index(self.joined or "")
        given: dict[str, Any] = {"periodic": self.joined}
        quantities = [self._own(field) for field in self.exact]
        if self.rng.random() < 0.6:
            orders = {self.axes[axis]: 1}
            slopes = [functions.derivative(self.rng, field, orders) for field in self.exact]
            quantities = [*quantities, *slopes]
            given["of"] = [one.text for one in quantities]
        return Condition(name, given, quantities, periodic=axis)

    def _integral(self, name: str) -> Condition | None:
        """Return an integral over some or all coordinates, at points of the others."""
        names, field = self.place.names, self._field()
        count = len(names)
        over = self.place.columns or tuple(
            sorted(self.rng.sample(range(count), self.rng.randint(1, min(count, 3))))
        )
        if self.rng.random() < 0.4 and count <= 3:
            over = tuple(range(count))
        rest = [axis for axis in range(count) if axis not in over]
        own = self._own(field)
        one = self.rng.choice(
            [own, functions.scaled(1 / functions.size_of(self.exact[field]), own, own)]
        )
        given: dict[str, Any] = {"integral": one.text}
        if rest or self.rng.random() < 0.5:
            given["over"] = [names[axis] for axis in over]
        others = np.zeros((1, count))
        if rest:
            middle = self.place.bounds[rest].mean(axis=1)
            others[0, rest] = [float(f"{value:.4g}") for value in middle]
            given["at"] = {names[axis]: float(others[0, axis]) for axis in rest}
        value = integral(self.place, over, one.of(self.exact), others)[0]
        given["equal"] = repr(float(value))
        return Condition(name, given, [one], points=others, over=over, target=float(value))
