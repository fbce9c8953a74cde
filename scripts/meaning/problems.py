"""Random problems with known solutions: the text of a config, and what it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import sympy
import yaml

from scripts.meaning import functions
from scripts.meaning.conditions import Condition, Conditions
from scripts.meaning.domain import Place
from scripts.meaning.functions import Axis, Quantity
from scripts.meaning.places import Ground, ground

EQUATION_POINTS = 512
CONDITION_POINTS = 512
_TEXT_LENGTH = 1900


@dataclass
class Problem:
    """What a config says, `data`, and what it means: residuals of fields, conditions.

    `raw` is what the network gives, where `hard`, a + b*network, makes a field of it.

    `refused` says what is wrong with it, where it must not be accepted.
    """

    number: int
    data: dict[str, Any]
    files: dict[str, str]
    place: Place
    axes: list[Axis]
    exact: dict[str, sympy.Expr]
    raw: dict[str, sympy.Expr]
    hard: dict[str, tuple[sympy.Expr, sympy.Expr]]
    equations: list[Quantity]
    conditions: list[Condition]
    refused: str = ""

    def write(self, folder: Path) -> Path:
        """Write the config and its tables; return the config's path."""
        for name, content in self.files.items():
            (folder / name).write_bytes(content.encode("utf-8"))
        path = folder / "case.yaml"
        path.write_text(yaml.safe_dump(self.data, sort_keys=False, allow_unicode=True))
        return path


def problem(seed: int, number: int) -> Problem:
    """Return the problem of a number, always the same."""
    for attempt in range(50):
        rng = Random(f"{seed} {number} {attempt}")
        made = _Maker(rng, number).problem()
        if max(map(len, _texts(made.data))) <= _TEXT_LENGTH:
            return made
    raise RuntimeError("the texts of all tries were too long")


def _texts(data: Any) -> list[str]:
    if isinstance(data, dict):
        return [text for item in data.items() for part in item for text in _texts(part)]
    if isinstance(data, list):
        return [text for part in data for text in _texts(part)]
    return [str(data)]


class _Maker:
    """Makes one problem, step by step."""

    def __init__(self, rng: Random, number: int) -> None:
        self.rng, self.number = rng, number
        self.constants: dict[str, Any] = {}
        self.ground: Ground = ground(rng, self.constants)
        self.place, self.axes = self.ground.place, self.ground.axes
        joined = self.ground.periodic if rng.random() < 0.3 else []
        loose = [axis for axis in joined if self.place.names[axis] not in self.place.parameters]
        self.joined = self.place.names[rng.choice(loose)] if loose else None
        self.fields = rng.sample(["u", "w", "phi", "u_1"], rng.choice([1, 1, 2, 3]))
        if "u_1" in self.fields and any(name.startswith("1") for name in self.place.names):
            self.fields.remove("u_1")
        self.sums = {name: functions.products(rng, self.axes, self.joined) for name in self.fields}
        self.exact = {name: sympy.Add(*terms) for name, terms in self.sums.items()}
        self.raw = dict(self.exact)
        self.hard: dict[str, tuple[sympy.Expr, sympy.Expr]] = {}

    def problem(self) -> Problem:
        """Return the problem."""
        rng, given = self.rng, dict(self.ground.given)
        if rng.random() < 0.25:
            self._impose(rng.choice(self.fields))
        equations = self._equations()
        made = Conditions(rng, self.place, self.axes, self.exact, self.sums, self.joined)
        conditions = made.all(self.hard)
        data: dict[str, Any] = {"name": "case", "seed": self.number, "precision": "float64"}
        section: dict[str, Any] = {"name": "pde", **given, "fields": self.fields}
        if self.constants:
            section["constants"] = self.constants
        section["equations"] = {f"e{i}": one.text for i, one in enumerate(equations)}
        if conditions:
            section["conditions"] = {one.name: one.given for one in conditions}
        if self.hard:
            section["hard"] = {
                name: f"{functions.text(start)} + ({functions.text(slope)})*network"
                for name, (start, slope) in self.hard.items()
            }
        data["problem"] = section
        data["sampling"] = self._sampling(conditions)
        found = Problem(
            self.number,
            data,
            made.files,
            self.place,
            self.axes,
            self.exact,
            self.raw,
            self.hard,
            equations,
            conditions,
        )
        if rng.random() < 0.1:
            _spoil(rng, found)
        return found

    def _sampling(self, conditions: list[Condition]) -> dict[str, Any]:
        name = self.rng.choice(["sobol", "sobol", "halton", "uniform", "latin_hypercube", "rad"])
        sampling: dict[str, Any] = {"name": name, "equations": EQUATION_POINTS}
        sampled = sum(one.sampled for one in conditions)
        if sampled:
            sampling["conditions"] = CONDITION_POINTS * sampled
        return sampling

    def _impose(self, name: str) -> None:
        """Make a field one that a hard condition gives: u = a + b*network."""
        axis = self.rng.choice(self.axes)
        start = functions.size_of(self.exact[name]) * functions.factor(
            self.rng, axis, axis.name == self.joined
        )
        slope = axis.unit * (1 - axis.unit) if self.rng.random() < 0.5 else axis.unit / 2
        if axis.name == self.joined:
            slope = sympy.Rational(1, 2)
        self.hard[name] = (start, slope)
        self.exact[name] = start + slope * self.exact[name]
        self.sums[name] = []

    def _equations(self) -> list[Quantity]:
        """Return an equation for each field; together they differentiate by all but parameters."""
        axes = [axis for axis in self.axes if axis.name not in self.place.parameters]
        found = []
        for index, name in enumerate(self.fields):
            chosen = axes if index == 0 else self.rng.sample(axes, self.rng.randint(1, len(axes)))
            left = functions.operator(self.rng, name, self.exact, chosen, self.place.time)
            found.append(functions.minus(left, left.of(self.exact)))
        return found


def _outside(rng: Random, made: Problem) -> str:
    axis = rng.randrange(len(made.axes))
    far = float(made.place.bounds[axis, 1] + made.place.extent[axis])
    made.data["problem"].setdefault("conditions", {})["bad"] = {
        "on": f"{made.axes[axis].name} = {far!r}",
        "equal": {made.data["problem"]["fields"][0]: 0},
        "points": 8,
    }
    return "a region outside the domain"


def _at_outside(rng: Random, made: Problem) -> str:
    point = {
        axis.name: float(end) for axis, end in zip(made.axes, made.place.bounds[:, 1], strict=True)
    }
    name = rng.choice(list(point))
    point[name] += 0.1 * float(made.place.extent[made.place.names.index(name)])
    made.data["problem"].setdefault("conditions", {})["bad"] = {
        "at": point,
        "equal": {made.data["problem"]["fields"][0]: 0},
    }
    return "a point outside the domain"


def _no_normal(rng: Random, made: Problem) -> str:
    other = [axis for axis in made.axes if axis.name in (made.place.time, *made.place.parameters)]
    region = f"{other[0].name} = {other[0].texts[0]}" if other else "interior"
    made.data["problem"].setdefault("conditions", {})["bad"] = {
        "on": region,
        "equal": {f"{made.data['problem']['fields'][0]}_n": 0},
        "points": 8,
    }
    return "a normal derivative where there is no normal"


def _no_partner(rng: Random, made: Problem) -> str:
    columns = made.place.columns
    body = made.place.body
    if body is None or body.given.keys() & {"rectangle", "cuboid", "difference", "union"}:
        return _outside(rng, made)
    if body.given.keys() & {"cylinder", "intersection", "polygon"}:
        return _at_outside(rng, made)
    made.data["problem"].setdefault("conditions", {})["bad"] = {
        "periodic": made.place.names[rng.choice(columns)],
        "points": 8,
    }
    return "periodic faces of a round body"


_SPOILS: list[Callable[[Random, Problem], str]] = [_outside, _at_outside, _no_normal, _no_partner]


def _spoil(rng: Random, made: Problem) -> None:
    """Add a condition that must be refused."""
    made.refused = rng.choice(_SPOILS)(rng, made)
