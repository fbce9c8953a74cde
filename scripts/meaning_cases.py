"""Random problems with known solutions."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import shapely
import sympy
import yaml
from meaning_exact import Case, Expected, distance, gauss, on_faces, over_outline


def draw(seed: int, number: int) -> Case:
    """Return the case of a number."""
    return _Drawing(Random(f"{seed}/{number}")).case()


class _Drawing:
    """One case in the making."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.outline: Any = None
        self.geometry: dict[str, Any] | None = None
        self.base = round(rng.uniform(0.5, 2), 2)
        self.scale = 10.0 ** rng.choice([-3, -1, 0, 0, 0, 2, 4])
        self.time = rng.choice(["", "t", "time"])
        self.bounds: dict[str, tuple[float, float]] = {}
        self.conditions: dict[str, Any] = {}
        self.expected: dict[str, Expected] = {}
        self.tables: dict[str, str] = {}

    def case(self) -> Case:
        self._domain()
        names = list(self.bounds)
        symbols = {name: sympy.Symbol(name) for name in names}
        self.symbols = symbols
        self.solution = self._solution()
        for index in range(self.rng.randint(2, 4)):
            self._condition(f"c{index}")
        unknown = [n for n in names if self.outline is not None and n in "xy"]
        coordinates = {n: None if n in unknown else self._written(n) for n in names}
        problem: dict[str, Any] = {
            "name": "pde",
            "coordinates": coordinates,
            "fields": ["u"],
            "constants": {"base": self.base},
            "equations": {"main": self._equation()},
            "conditions": self.conditions,
        }
        if self.geometry:
            problem["geometry"] = self.geometry
        if self.rng.random() < 0.2:
            problem["hard"] = {"u": f"{self._text(self.solution)} + (network - 1)*2"}
        config = {
            "name": "case",
            "precision": "float64",
            "problem": problem,
            "sampling": {
                "name": self.rng.choice(["sobol", "uniform", "halton", "latin_hypercube"]),
                "equations": 200,
                "conditions": 300 * max(len(self.conditions), 1),
            },
        }
        text = yaml.safe_dump(config, sort_keys=False)
        return Case(
            text, self.solution, names, self.bounds, self.outline, self.expected, self.tables
        )

    def _number(self, low: float, high: float) -> float:
        return round(self.rng.uniform(low, high), 3) * self.scale

    def _written(self, name: str) -> list[float | str]:
        """Return the bounds of a coordinate, at times as expressions."""
        low, high = self.bounds[name]
        if self.rng.random() < 0.5:
            return [low, high]
        return [f"{low / self.base!r}*base", f"{high!r} + 0*base"]

    def _domain(self) -> None:
        dimension = self.rng.choice([1, 2, 2, 2, 3])
        for name in "xyz"[:dimension]:
            low = self._number(-2, 2)
            self.bounds[name] = (low, low + self._number(0.5, 3))
        if dimension == 2 and self.rng.random() < 0.6:
            self._shape()
        if self.time:
            low = round(self.rng.uniform(-1, 1), 2)
            self.bounds[self.time] = (low, low + round(self.rng.uniform(0.5, 2), 2))

    def _shape(self) -> None:
        (a, b), (c, d) = self.bounds["x"], self.bounds["y"]
        width, height = b - a, d - c
        box = {"rectangle": {"from": [a, c], "to": [b, d]}}
        outline = shapely.box(a, c, b, d)
        kind = self.rng.choice(["disk", "ellipse", "triangle", "plate", "moon", "L"])
        center = [a + width / 2, c + height / 2]
        radius = min(width, height) / 2
        if kind == "disk":
            self.geometry = {"disk": {"center": center, "radius": radius}}
            outline = shapely.Point(center).buffer(radius, 1024)
        elif kind == "ellipse":
            self.geometry = {"ellipse": {"center": center, "radii": [width / 2, height / 2]}}
            unit = shapely.affinity.scale(
                shapely.Point(0, 0).buffer(1, 1024), width / 2, height / 2
            )
            outline = shapely.affinity.translate(unit, *center)
        elif kind == "triangle":
            corners = [[a, c], [b, c + 0.3 * height], [a + 0.4 * width, d]]
            self.geometry = {"polygon": corners}
            outline = shapely.Polygon(corners)
        elif kind == "L":
            hole = {"rectangle": {"from": center, "to": [b, d]}}
            self.geometry = {"difference": [box, hole]}
            outline = outline.difference(shapely.box(*center, b, d))
        else:
            where = center if kind == "plate" else [b, c]
            disk = {"disk": {"center": where, "radius": radius / 2}}
            self.geometry = {"difference": [box, disk]}
            outline = outline.difference(shapely.Point(where).buffer(radius / 2, 1024))
        self.outline = outline
        left, bottom, right, top = outline.bounds
        self.bounds["x"], self.bounds["y"] = (left, right), (bottom, top)

    def _solution(self) -> sympy.Expr:
        """Return a product of waves, in units of the domain."""
        result = sympy.Integer(1)
        for name, symbol in self.symbols.items():
            low, high = self.bounds[name]
            wave = self.rng.choice([sympy.sin, sympy.cos])
            period = self.rng.choice([1, 2])
            rate = sympy.Float(repr(2 * np.pi / (high - low) / period), 17)
            part = wave(rate * (symbol - sympy.Float(repr(low), 17)) + self.rng.choice([0, 1]))
            result = result * (part + self.rng.choice([0, 2]))
        return result

    def _text(self, expression: sympy.Expr) -> str:
        return sympy.sstr(expression, full_prec=True)

    def _equation(self) -> str:
        terms, exact = [], sympy.Integer(0)
        for name, symbol in self.symbols.items():
            order = self.rng.choice([1, 2, 2, 3, 4])
            size = (self.bounds[name][1] - self.bounds[name][0]) ** order
            terms.append(f"{size!r}*u_{name * order}")
            exact += sympy.Float(repr(size), 17) * sympy.diff(self.solution, symbol, order)
        return " + ".join(terms) + f" - ({self._text(exact)})"

    def _condition(self, key: str) -> None:
        makers = [self._face, self._face, self._integral, self._table]
        if self.outline is None:
            makers += [self._strict, self._periodic, self._boundary]
        else:
            makers += [self._rim, self._part_of_rim]
        self.rng.choice(makers)(key)

    def _space(self) -> list[str]:
        return [name for name in self.bounds if name != self.time]

    def _face(self, key: str) -> None:
        """A face of the box, or an instant."""
        free = self._space() if self.outline is None else []
        choices = [*free, *([self.time] if self.time else [])]
        if not choices:
            return self._rim(key)
        name = self.rng.choice(choices)
        value = self.rng.choice(self.bounds[name])
        close = 1e-9 * (self.bounds[name][1] - self.bounds[name][0])
        equal = {"u": self._text(self.solution)}
        if name != self.time:
            slope = sympy.diff(self.solution, self.symbols[name])
            sign = 1 if value == self.bounds[name][1] else -1
            equal["u_n"] = self._text(sign * slope)
        self.conditions[key] = {"on": f"{name} = {value!r}", "equal": equal}
        self.expected[key] = Expected(
            "face", lambda x: abs(x[name] - value) <= close, [(name, value)], name != self.time
        )

    def _strict(self, key: str) -> None:
        """The boundary without one face, or with it."""
        names = self._space()
        name = self.rng.choice(names)
        low, high = self.bounds[name]
        strict = self.rng.random() < 0.5
        sign = "<" if strict else "<="
        self.conditions[key] = {
            "on": f"boundary and {name} {sign} {high!r}",
            "equal": {"u": self._text(self.solution)},
        }
        faces = [(other, end) for other in names for end in self.bounds[other]]
        if strict:
            faces.remove((name, high))
        close = 1e-9 * (high - low)
        self.expected[key] = Expected(
            "strict sign" if strict else "closed sign",
            lambda x: on_faces(x, faces, self.bounds) & (x[name] <= high + close),
            faces,
            True,
        )

    def _boundary(self, key: str) -> None:
        faces = [(name, end) for name in self._space() for end in self.bounds[name]]
        self.conditions[key] = {"on": "boundary", "equal": {"u": self._text(self.solution)}}
        self.expected[key] = Expected(
            "boundary", lambda x: on_faces(x, faces, self.bounds), faces, True
        )

    def _rim(self, key: str) -> None:
        if self.outline is None:
            return self._boundary(key)
        near = 1e-5 * np.hypot(*[high - low for low, high in self._plane()])
        self.conditions[key] = {"on": "boundary", "equal": {"u": self._text(self.solution)}}
        self.expected[key] = Expected(
            "rim", lambda x: distance(self.outline, x) <= near, oriented=True
        )

    def _part_of_rim(self, key: str) -> None:
        name = self.rng.choice(["x", "y"])
        low, high = self.bounds[name]
        middle = low + 0.45 * (high - low)
        near = 1e-5 * np.hypot(*[b - a for a, b in self._plane()])
        self.conditions[key] = {
            "on": f"boundary and {name} > {middle!r}",
            "equal": {"u": self._text(self.solution)},
        }
        self.expected[key] = Expected(
            "part of a rim",
            lambda x: (distance(self.outline, x) <= near) & (x[name] > middle),
            oriented=True,
        )

    def _plane(self) -> list[tuple[float, float]]:
        return [self.bounds["x"], self.bounds["y"]]

    def _periodic(self, key: str) -> None:
        name = self.rng.choice(self._space())
        if not self._is_periodic(name):
            return self._face(key)
        self.conditions[key] = {"periodic": name, "of": ["u", f"u_{name}"]}
        self.expected[key] = Expected("periodic", partner=name)

    def _is_periodic(self, name: str) -> bool:
        low, high = self.bounds[name]
        at = {symbol: 0.3 * sum(self.bounds[n]) for n, symbol in self.symbols.items() if n != name}
        slope = sympy.diff(self.solution, self.symbols[name])
        ends = [
            [float(f.subs(at).subs(self.symbols[name], end)) for end in (low, high)]
            for f in (self.solution, slope * (high - low))
        ]
        return all(abs(a - b) < 1e-9 for a, b in ends)

    def _table(self, key: str) -> None:
        """Values at random points in a CSV file, its columns in any order."""
        low, high = np.array(list(self.bounds.values())).T
        draws = np.random.default_rng(self.rng.randrange(2**32)).random((400, len(low)))
        x = low + (high - low) * draws
        if self.outline is not None:
            x = x[shapely.contains_xy(self.outline, x[:, 0], x[:, 1])]
        function = sympy.lambdify(list(self.symbols.values()), self.solution, "numpy")
        rows = np.concatenate([x, function(*x.T)[:, None]], axis=1)[:50]
        names = [*self.symbols, "u"]
        order = self.rng.sample(range(len(names)), len(names))
        lines = [",".join(names[column] for column in order)]
        lines += [",".join(repr(float(row[column])) for column in order) for row in rows]
        self.tables[f"{key}.csv"] = "\n".join(lines) + "\n"
        self.conditions[key] = {"data": f"{key}.csv"}
        self.expected[key] = Expected("table")

    def _integral(self, key: str) -> None:
        """The mean over the whole domain."""
        self.conditions[key] = {"integral": "u", "equal": 0}
        self.expected[key] = Expected("integral", value=self._total())

    def _total(self) -> float:
        function = sympy.lambdify(list(self.symbols.values()), self.solution, "numpy")
        if self.outline is None:
            rules = [gauss(*self.bounds[name], 60) for name in self.symbols]
            grids = np.meshgrid(*[x for x, _ in rules], indexing="ij")
            weights = np.ones(1)
            for _, w in rules:
                weights = np.multiply.outer(weights, w)
            values = np.broadcast_to(function(*grids), grids[0].shape)
            return float((values * weights.reshape(grids[0].shape)).sum())
        return over_outline(self.outline, function, self.bounds.get(self.time))
