"""A config written in other units, as somebody would who never made the problem dimensionless."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pdehvd.numerics.derivatives import partial_of

_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_BOUND = re.compile(r"^\s*(\w+)\s*(<=|>=|<|>|={1,2})\s*(.+?)\s*$")


@dataclass(frozen=True)
class Units:
    """X = length x for coordinates, U = offset + size u for fields, N = number n for unknowns.

    Equations are multiplied by `residual`.
    """

    lengths: Mapping[str, float] = field(default_factory=dict)
    sizes: Mapping[str, float] = field(default_factory=dict)
    offsets: Mapping[str, float] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    residual: float = 1.0


def in_units(config: Mapping[str, Any], units: Units) -> dict[str, Any]:
    """Return a config of points, on a box, in other units; its reference is exact."""
    return {**config, "problem": _Rewriter(config["problem"], units).problem()}


class _Rewriter:
    def __init__(self, problem: Mapping[str, Any], units: Units) -> None:
        self.given, self.units = problem, units
        self.coordinates = tuple(problem["coordinates"])
        self.fields = tuple(problem["fields"])

    def problem(self) -> dict[str, Any]:
        given = dict(self.given)
        given["coordinates"] = {
            name: [self._times(self._length(name), end) for end in ends]
            for name, ends in given["coordinates"].items()
        }
        given["equations"] = {
            name: self._times(self.units.residual, self.text(one))
            for name, one in given["equations"].items()
        }
        given["conditions"] = {
            name: self._condition(one) for name, one in given.get("conditions", {}).items()
        }
        given["unknowns"] = {
            name: self._unknown(name, one) for name, one in given.get("unknowns", {}).items()
        }
        given["hard"] = {
            name: self._valued(name, one) for name, one in given.get("hard", {}).items()
        }
        given["reference"] = self._reference(dict(given["reference"]))
        return given

    def text(self, text: object) -> str:
        """Return an expression of the old names in terms of the new ones."""
        return _NAME.sub(lambda found: self._name(found[0]), str(text))

    def _name(self, name: str) -> str:
        if name in self.coordinates:
            return self._by(name, self._length(name))
        if name in self.units.numbers:
            return self._by(name, self.units.numbers[name])
        if name in self.fields:
            offset = self.units.offsets.get(name, 0.0)
            return self._by(f"({name} - {offset!r})" if offset else name, self._size(name))
        if name == "network":
            return name
        partial = partial_of(name, self.fields, self.coordinates)
        if partial is None:
            return name
        factor = 1.0
        for along, order in zip(self.coordinates, partial.orders, strict=True):
            factor *= self._length(along) ** order
        return self._by(name, self._size(partial.field) / factor)

    def _by(self, name: str, size: float) -> str:
        return name if size == 1 else f"({name}/{size!r})"

    def _length(self, name: str) -> float:
        return self.units.lengths.get(name, 1.0)

    def _size(self, name: str) -> float:
        return self.units.sizes.get(name, 1.0)

    def _times(self, factor: float, text: object) -> object:
        return text if factor == 1 else f"{factor!r}*({text})"

    def _valued(self, name: str, text: object) -> str:
        """Return what a field is, in its new unit."""
        new = self.text(text)
        # What multiplies the network has no unit in the file of a person who thinks of none.
        new = re.sub(r"\bnetwork\b", f"(network/{self._size(name)!r})", new)
        offset = self.units.offsets.get(name, 0.0)
        return (f"{offset!r} + " if offset else "") + f"{self._size(name)!r}*({new})"

    def _condition(self, given: Mapping[str, Any]) -> dict[str, Any]:
        new = dict(given)
        if "on" in new:
            on = new["on"]
            new["on"] = [self._region(t) for t in on] if isinstance(on, list) else self._region(on)
        if "equal" in new:
            new["equal"] = dict(self._sides(*pair) for pair in new["equal"].items())
        if "at" in new:
            rows = new["at"] if isinstance(new["at"], list) else [new["at"]]
            new["at"] = [
                {name: self._times(self._length(name), value) for name, value in row.items()}
                for row in rows
            ]
        return new

    def _sides(self, left: str, right: object) -> tuple[str, str]:
        """Return both sides; a field and its values are in its new unit."""
        if left in self.fields:
            return left, self._valued(left, right)
        return self.text(left), self.text(right)

    def _region(self, text: str) -> str:
        parts = [_BOUND.sub(self._bound, part) for part in text.split(" and ")]
        return " and ".join(parts)

    def _bound(self, found: re.Match[str]) -> str:
        name, sign, value = found.groups()
        return f"{name} {sign} {self._times(self._length(name), value)}"

    def _unknown(self, name: str, given: Any) -> Any:
        factor = self.units.numbers.get(name, 1.0)
        if isinstance(given, Mapping):
            return {**given, "initial": float(given["initial"]) * factor}
        return float(given) * factor

    def _reference(self, given: dict[str, Any]) -> dict[str, Any]:
        new = {name: given[name] for name in ("name", "up_to_constant") if name in given}
        if "unknowns" in given:
            new["unknowns"] = {
                name: self._times(self.units.numbers.get(name, 1.0), value)
                for name, value in given["unknowns"].items()
            }
        for name in self.fields:
            if name in given:
                new[name] = self._valued(name, given[name])
        return new
