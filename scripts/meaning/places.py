"""Random domains: coordinates with bounds in many notations, units, shapes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

import numpy as np
import sympy

from scripts.meaning import shapes
from scripts.meaning.domain import Place
from scripts.meaning.functions import Axis
from scripts.meaning.shapes import Body

_SPACE = ("x", "y", "z", "r", "s", "q")
_PARAMETERS = ("k", "alpha")


@dataclass
class Ground:
    """A domain: texts of it, what they mean, and the coordinates whose faces may be joined."""

    place: Place
    axes: list[Axis]
    given: dict[str, Any]
    periodic: list[int]


def unit(rng: Random) -> int:
    """Return the exponent of a unit, 1 in every other case."""
    return rng.choice([0, 0, 0, rng.randint(-6, 6), rng.choice([-6, 6])])


def interval(rng: Random, name: str, constants: dict[str, Any]) -> Axis:
    """Return a coordinate whose bounds are numbers or expressions."""
    ten = sympy.Rational(10) ** unit(rng)
    low = rng.choice(
        [sympy.Integer(0), sympy.Integer(-1), sympy.Rational(-1, 3), sympy.Rational(2)]
    )
    width = rng.choice([1, 2, sympy.Rational(3, 2), sympy.pi, sympy.sqrt(2), sympy.Rational(1, 3)])
    low, high = low * ten, (low + width) * ten
    if rng.random() < 0.3 and ten != 1:
        constants[f"{name}_0"] = float(ten)
        texts = (f"({sympy.sstr(low / ten)})*{name}_0", f"({sympy.sstr(high / ten)})*{name}_0")
    elif rng.random() < 0.5:
        texts = (sympy.sstr(low), sympy.sstr(high))
    else:
        texts = (repr(float(low)), repr(float(high)))
        low, high = (sympy.Rational(text) for text in texts)
    return Axis(name, low, high, texts)


def plain(value: np.ndarray | float) -> Any:
    """Return numbers as YAML holds them."""
    return np.asarray(value).tolist()


class Shapes:
    """Makes bodies in a unit, around the origin."""

    def __init__(self, rng: Random, dimension: int) -> None:
        self.rng, self.dimension = rng, dimension
        self.size = 10.0 ** unit(rng)
        self.names = (f"part_{i}" for i in count())

    def number(self, low: float, high: float) -> float:
        """Return a number in the unit with few digits."""
        return float(f"{self.rng.uniform(low, high) * self.size:.3g}")

    def point(self, reach: float) -> np.ndarray:
        """Return a point about the origin."""
        return np.array([self.number(-reach, reach) for _ in range(self.dimension)])

    def leaf(self, reach: float = 0.5) -> Body:
        """Return an elementary shape, perhaps with a name."""
        kinds = ["disk", "ellipse", "rectangle", "polygon"]
        if self.dimension == 3:
            kinds = ["ball", "cuboid", "cylinder"]
        body: Body = getattr(self, f"_{self.rng.choice(kinds)}")(self.point(reach))
        return self.named(body)

    def named(self, body: Body) -> Body:
        """Return a body whose rims have a name, in most cases."""
        if self.rng.random() < 0.7:
            body.given["name"] = name = next(self.names)
            for rim in body.rims:
                rim.name = name
        return body

    def _disk(self, center: np.ndarray) -> Body:
        radius = self.number(0.5, 1)
        body = shapes.ellipse(center, np.array([radius, radius]), 0.0)
        body.given = {"disk": {"center": plain(center), "radius": radius}}
        return body

    def _ellipse(self, center: np.ndarray) -> Body:
        radii = np.array([self.number(0.5, 1.2), self.number(0.4, 0.9)])
        angle, text = self.rng.choice([(0.0, "0"), (np.pi / 6, "pi/6"), (1.2, "1.2")])
        body = shapes.ellipse(center, radii, angle)
        body.given = {"ellipse": {"center": plain(center), "radii": plain(radii), "angle": text}}
        return body

    def _rectangle(self, center: np.ndarray) -> Body:
        low = center - [self.number(0.4, 1), self.number(0.4, 1)]
        high = center + np.array([self.number(0.4, 1), self.number(0.4, 1)])
        corners = [[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]]
        body = shapes.polygon(np.array(corners))
        body.given = {"rectangle": {"from": plain(low), "to": plain(high)}}
        return body

    def _polygon(self, center: np.ndarray) -> Body:
        count = self.rng.randint(3, 7)
        turns = 2 * np.pi * (np.arange(count) + self.rng.uniform(0, 0.5)) / count
        radii = np.array([self.number(0.4, 1.2) for _ in turns])
        corners = center + radii[:, None] * np.stack([np.cos(turns), np.sin(turns)], 1)
        if self.rng.random() < 0.5:
            corners = corners[::-1]
        body = shapes.polygon(corners)
        body.given = {"polygon": plain(corners)}
        return body

    def _ball(self, center: np.ndarray) -> Body:
        radius = self.number(0.5, 1)
        body = shapes.ball(center, radius)
        body.given = {"ball": {"center": plain(center), "radius": radius}}
        return body

    def _cuboid(self, center: np.ndarray) -> Body:
        low = center - [self.number(0.4, 1) for _ in range(3)]
        high = center + [self.number(0.4, 1) for _ in range(3)]
        body = shapes.cuboid(low, high)
        body.given = {"cuboid": {"from": plain(low), "to": plain(high)}}
        return body

    def _cylinder(self, center: np.ndarray) -> Body:
        way = np.zeros(3)
        way[self.rng.randrange(3)] = self.number(0.6, 1.5)
        if self.rng.random() < 0.5:
            way = way + self.point(0.6)
        radius = self.number(0.3, 0.8)
        body = shapes.cylinder(center, center + way, radius)
        ends = {"from": plain(center), "to": plain(center + way)}
        body.given = {"cylinder": {**ends, "radius": radius}}
        return body

    def compound(self) -> Body:
        """Return two or three shapes that overlap, joined."""
        operation = self.rng.choice(["union", "intersection", "difference"])
        parts = [self.leaf(0.35) for _ in range(self.rng.choice([2, 2, 3]))]
        if self.rng.random() < 0.2:
            inner = shapes.join("union", parts[:2])
            inner.given = {"union": [part.given for part in parts[:2]]}
            parts = [self.leaf(0.35), inner]
        body = shapes.join(operation, parts)
        body.given = {operation: [part.given for part in parts]}
        return body

    def pierced(self) -> Body:
        """Return a rectangle with a round hole: its faces may be joined."""
        plate, hole = self._rectangle(self.point(0.2)), self._disk(self.point(0.0))
        middle = (plate.low + plate.high) / 2
        radius = float(f"{0.3 * (plate.high - plate.low).min():.2g}")
        hole = shapes.ellipse(middle, np.array([radius, radius]), 0.0)
        hole.given = {"disk": {"center": plain(middle), "radius": radius}}
        parts = [self.named(plate), self.named(hole)]
        body = shapes.join("difference", parts)
        body.given = {"difference": [part.given for part in parts]}
        return body


def filled(body: Body) -> float:
    """Return the share of its box that a body fills."""
    from scripts.meaning.domain import cover

    x = body.low + cover(body.dimension, 2**12) * (body.high - body.low)
    return float((body.depth(x) > 0).mean())


def ground(rng: Random, constants: dict[str, Any]) -> Ground:
    """Return a random domain."""
    kind = rng.choice(["ode", "box", "box", "box", "box", "plane", "plane", "plane", "solid"])
    body, joined = None, []
    if kind in ("plane", "solid"):
        dimension = 2 if kind == "plane" else 3
        make = Shapes(rng, dimension)
        choice = rng.random()
        body = make.leaf() if choice < 0.4 else make.compound()
        if kind == "plane" and choice > 0.85:
            body, joined = make.pierced(), [0, 1]
        if filled(body) < 0.05:
            body = make.leaf()
    inner = 0 if body is None else body.dimension
    space = inner + (rng.random() < 0.2 if kind == "plane" else 0)
    space = rng.randint(1, 3) if kind == "box" else space
    names = list(rng.sample(_SPACE, space))
    time = rng.choice(["t", "t", "time", "tau"]) if kind == "ode" or rng.random() < 0.5 else None
    parameters = [rng.choice(_PARAMETERS)] if kind != "ode" and rng.random() < 0.2 else []
    order = [*names, *parameters]
    if body is None:
        rng.shuffle(order)
    order = order if body is None else [*names, *parameters]
    if time:
        order.insert(rng.randint(0, len(order)), time)
    return _laid_out(rng, order, names[:inner], body, time, tuple(parameters), constants, joined)


def _laid_out(
    rng: Random,
    order: list[str],
    inner: list[str],
    body: Body | None,
    time: str | None,
    parameters: tuple[str, ...],
    constants: dict[str, Any],
    joined: list[int],
) -> Ground:
    axes: list[Axis] = []
    coordinates: dict[str, list[str] | None] = {}
    for name in order:
        if body is not None and name in inner:
            low, high = (float(end[inner.index(name)]) for end in (body.low, body.high))
            texts = (repr(low), repr(high))
            first, last = map(sympy.Rational, texts)
            axes.append(Axis(name, first, last, texts))
            coordinates[name] = None
        else:
            axes.append(interval(rng, name, constants))
            coordinates[name] = list(axes[-1].texts)
    bounds = np.array([[float(axis.low), float(axis.high)] for axis in axes])
    columns = tuple(order.index(name) for name in inner)
    place = Place(tuple(order), bounds, time, parameters, body, columns)
    given: dict[str, Any] = {"coordinates": coordinates}
    if time not in (None, "t", "time"):
        given["time"] = time
    if body is not None:
        given["geometry"] = body.given
    loose = [axis for axis in range(len(order)) if axis not in columns]
    return Ground(place, axes, given, loose + [columns[i] for i in joined])
