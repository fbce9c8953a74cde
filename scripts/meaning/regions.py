"""Random texts about regions, each with what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from scripts.meaning.domain import CLOSE, Meaning, Part, Place, Test, compared
from scripts.meaning.functions import Axis

LEAST = 0.02  # share of its parts that a region holds
_TRIES = 40


@dataclass
class Regions:
    """Makes regions of a place; `axes` hold the texts of its bounds."""

    rng: Random
    place: Place
    axes: Sequence[Axis]

    def any(self, oriented: bool = False) -> Meaning:
        """Return a region; with outward normals where they are asked for."""
        for _ in range(_TRIES):
            found = self._one(oriented)
            if found is not None and found.share >= LEAST and found.oriented >= oriented:
                return found
        return self._face(0 if not oriented else self.place.space[0])

    def _one(self, oriented: bool) -> Meaning | None:
        place, rng = self.place, self.rng
        kinds = ["boundary"] * 3 if place.space else []
        kinds += ["face"] * 2 if self._loose(oriented) else []
        kinds += ["list", "either"] if len(self._loose(oriented)) > 1 else []
        kinds += ["named"] * 3 if self._labels() else []
        kinds += ["flat"] if place.body else []
        kinds += [] if oriented else ["slice", "interior", "interior"]
        kind = rng.choice(kinds or ["slice"])
        if kind == "boundary":
            return self._narrowed("boundary", place.boundary())
        if kind == "named":
            label = rng.choice(self._labels())
            return self._narrowed(label, place.boundary(label))
        if kind == "interior":
            return self._narrowed(rng.choice(["interior", ""]), [place.part()])
        if kind == "slice":
            return self._slice()
        if kind == "flat":
            return self._flat()
        axes = self._loose(oriented)
        if kind == "face":
            return self._face(rng.choice(axes), narrowed=True)
        if kind == "list":
            return self._list(axes)
        return self._either(axes)

    def _labels(self) -> list[str]:
        rims = self.place.body.rims if self.place.body else []
        return sorted({rim.name for rim in rims if rim.name})

    def _loose(self, oriented: bool) -> list[int]:
        """Return the coordinates that are none of the body's."""
        axes = self.place.space if oriented else range(len(self.place.names))
        return [axis for axis in axes if axis not in self.place.columns]

    def _value(self, axis: int, end: int) -> str:
        given, exact = self.axes[axis].texts[end], self.place.bounds[axis, end]
        return self.rng.choice([given, repr(float(exact))])

    def _equation(self, axis: int, value: str) -> str:
        name = self.place.names[axis]
        return self.rng.choice([f"{name} = {value}", f"{value} = {name}", f"{name} == {value}"])

    def _face(self, axis: int, narrowed: bool = False) -> Meaning:
        end = self.rng.randint(0, 1)
        text, parts = self._equation(axis, self._value(axis, end)), [self.place.face(axis, end)]
        return (narrowed and self._narrowed(text, parts)) or Meaning(text, parts)

    def _slice(self) -> Meaning | None:
        axis = self.rng.randrange(len(self.place.names))
        value = self._inner([self.place.part()], axis)
        text = self._equation(axis, repr(value))
        return self._narrowed(text, [self.place.part({axis: value})])

    def _flat(self) -> Meaning | None:
        """Return a flat part of the rim of a body, by the equation of its coordinate."""
        place = self.place
        assert place.body is not None
        rims = [place.part(rim=rim) for rim in place.body.rims if hasattr(rim, "normal")]
        for part in rims:
            for axis in place.columns:
                column = part.all[0][:, axis]
                if len(column) > 200 and np.ptp(column) <= CLOSE * place.extent[axis]:
                    value = float(column[0])
                    same = [
                        other
                        for other in rims
                        if len(other.all[0])
                        and np.allclose(other.all[0][:, axis], value, 0, CLOSE * place.extent[axis])
                    ]
                    if self.rng.random() < 0.4:
                        return self._narrowed(self._equation(axis, repr(value)), same)
        return None

    def _list(self, axes: list[int]) -> Meaning:
        chosen = self.rng.sample(axes, min(len(axes), self.rng.randint(2, 3)))
        found = [self._entry(axis) for axis in chosen]
        tests = [region.test(0) for region in found]
        return Meaning([str(r.text) for r in found], [p for r in found for p in r.parts], tests)

    def _entry(self, axis: int) -> Meaning:
        """Return a face, narrowed or not; a list is refused where one of its entries is empty."""
        face = self._face(axis, narrowed=self.rng.random() < 0.4)
        return face if face.share >= LEAST else self._face(axis)

    def _either(self, axes: list[int]) -> Meaning:
        one, two = (self._face(axis) for axis in self.rng.sample(axes, 2))
        return Meaning(f"{one.text} or {two.text}", [*one.parts, *two.parts])

    def _inner(self, parts: list[Part], axis: int) -> float:
        """Return a value that the coordinate takes well inside the parts."""
        x = np.concatenate([part.all[0] for part in parts])[:, axis]
        return float(f"{np.quantile(x, self.rng.uniform(0.2, 0.8)):.4g}")

    def _narrowed(self, base: str, parts: list[Part]) -> Meaning | None:
        """Return the parts under a random condition, or without one."""
        parts = [part for part in parts if len(part.all[0])]
        if not parts or (self.rng.random() < 0.35 and base):
            return Meaning(base, parts) if parts else None
        x = np.concatenate([part.all[0] for part in parts])
        # Along a flat rim a comparison has nothing to choose, or lies outside, which is refused.
        wide = np.flatnonzero(np.ptp(x, axis=0) > CLOSE * self.place.extent)
        fixed = set.intersection(*(set(part.fixed) for part in parts))
        axes = [int(axis) for axis in wide if axis not in fixed]
        if not axes:
            return Meaning(base, parts) if base else None
        text, test = self._condition(parts, axes, self.rng.choice([0, 1, 1, 2]))
        if not base:
            return Meaning(text, parts, [test])
        word = f"({text})" if " or " in text else text
        return Meaning(f"{base} and {word}", parts, [test])

    def _condition(
        self, parts: list[Part], axes: list[int], depth: int, ends: bool = True
    ) -> tuple[str, Test]:
        """Return a condition; `ends` says whether it may compare with a coordinate's bounds."""
        kind = self.rng.choice(["and", "or", "not"]) if depth else "leaf"
        if kind == "leaf":
            return self._comparison(parts, axes, ends)
        # The opposite of what holds up to a bound lies outside, which is refused in some places.
        text, test = self._condition(parts, axes, depth - 1, ends and kind != "not")
        if kind == "not":
            return f"not ({text})", lambda x: ~test(x)
        # Two comparisons with one bound may always hold, which is refused.
        other, second = self._condition(parts, axes, depth - 1, ends=False)
        if kind == "and":
            return f"({text}) and ({other})", lambda x: test(x) & second(x)
        return f"({text}) or ({other})", lambda x: test(x) | second(x)

    def _comparison(self, parts: list[Part], axes: list[int], ends: bool) -> tuple[str, Test]:
        """Return a comparison; on a face itself in most cases, what a strict sign is about."""
        rng, axis = self.rng, self.rng.choice(axes)
        faces = sorted({a for part in parts for a in part.fixed if len(parts) > 1})
        if ends and faces and rng.random() < 0.6:
            axis = rng.choice(faces)
        sign, slopes = rng.choice(["<", "<=", ">", ">="]), np.zeros(len(self.place.names))
        slopes[axis], form = 1.0, self.place.names[axis]
        if ends and axis not in self.place.columns and rng.random() < (0.8 if faces else 0.5):
            end = rng.randint(0, 1)
            sign = rng.choice(["<", "<", "<=", ">="] if end else [">", ">", ">=", "<="])
            value, known = self._value(axis, end), float(self.place.bounds[axis, end])
        elif rng.random() < 0.3 and len(axes) > 1:
            form, known = self._slanted(parts, rng.sample(axes, 2), slopes)
            value = repr(known)
        else:
            known = self._inner(parts, axis)
            value = repr(known)
        test = compared(self.place, slopes.tolist(), sign, known)
        if rng.random() < 0.3:
            turned = {"<": ">", ">": "<"}[sign[0]] + sign[1:]
            return f"{value} {turned} {form}", test
        return f"{form} {sign} {value}", test

    def _slanted(self, parts: list[Part], axes: list[int], slopes: np.ndarray) -> tuple[str, float]:
        """Return a linear form of two coordinates and a value of it; fill in its slopes."""
        slopes[:] = 0.0
        for axis in axes:
            slopes[axis] = float(f"{1 / self.place.extent[axis]:.2g}")
        one, two = (self.place.names[axis] for axis in axes)
        middle = sum(self._inner(parts, axis) * slopes[axis] for axis in axes)
        text = f"{float(slopes[axes[0]])!r}*{one} + {two}*{float(slopes[axes[1]])!r}"
        return text, float(f"{middle:.4g}")
