"""Random smooth functions and residuals, as SymPy expressions and as texts for a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import sympy

Fields = Mapping[str, sympy.Expr]


@dataclass(frozen=True)
class Quantity:
    """What a text of fields means: a function of the fields' expressions."""

    text: str
    of: Callable[[Fields], sympy.Expr]


@dataclass(frozen=True)
class Axis:
    """A coordinate: its symbol, exact bounds, and the texts of these."""

    name: str
    low: sympy.Expr
    high: sympy.Expr
    texts: tuple[str, str] = ("", "")

    @property
    def symbol(self) -> sympy.Symbol:
        """Return the symbol, the same for all uses of the name."""
        return sympy.Symbol(self.name, real=True)

    @property
    def length(self) -> sympy.Expr:
        """Return the extent."""
        return self.high - self.low

    @property
    def unit(self) -> sympy.Expr:
        """Return the coordinate from 0 to 1, in decimals of few digits."""
        return (self.symbol - short(self.low)) / short(self.length)


def short(value: sympy.Expr, digits: int = 3) -> sympy.Rational:
    """Return a number rounded to a few digits, exactly."""
    return sympy.Rational(f"{float(value):.{digits - 1}e}")


def normal(name: str) -> sympy.Symbol:
    """Return the symbol of the outward normal along a coordinate."""
    return sympy.Symbol(f"normal {name}", real=True)


def text(expression: sympy.Expr) -> str:
    """Return an expression as a config holds it."""
    return str(expression)


def factor(rng: Random, axis: Axis, periodic: bool) -> sympy.Expr:
    """Return a smooth function of one coordinate, of size 1."""
    phase = sympy.Rational(rng.randint(1, 9), 7)
    if periodic:
        turns = rng.choice([1, 1, 2])
        angle = 2 * sympy.pi * turns * (axis.symbol - axis.low) / axis.length
        return sympy.sin(angle + phase)
    angle = sympy.Rational(rng.randint(2, 7), 3) * axis.unit
    return rng.choice([sympy.sin(angle + phase), sympy.cos(angle + phase), sympy.exp(-angle / 3)])


def products(rng: Random, axes: Sequence[Axis], periodic: str | None) -> list[sympy.Expr]:
    """Return two products of functions of each coordinate."""
    size = short(sympy.Rational(10) ** (rng.randint(-6, 6) if rng.random() < 0.25 else 0))
    return [
        size
        * sympy.Rational(rng.choice([-1, 1]) * rng.randint(2, 9), 5)
        * sympy.Mul(*(factor(rng, axis, axis.name == periodic) for axis in axes))
        for _ in range(2)
    ]


def size_of(expression: sympy.Expr) -> sympy.Rational:
    """Return a size of a field, from its numbers."""
    values = [abs(float(term.as_coeff_Mul()[0])) for term in sympy.Add.make_args(expression)]
    return short(sympy.Float(max([*values, 1e-9])), 1)


def differentiated(function: sympy.Expr, symbols: Sequence[sympy.Symbol]) -> sympy.Expr:
    """Return the derivative by each of the symbols; the function itself where there are none."""
    return function.diff(*symbols) if symbols else function


def derivative(rng: Random, field: str, orders: Mapping[Axis, int]) -> Quantity:
    """Return a derivative, its letters in any order."""
    letters = [axis for axis, order in orders.items() for _ in range(order)]
    rng.shuffle(letters)
    name = f"{field}_{''.join(axis.name for axis in letters)}" if letters else field
    symbols = [axis.symbol for axis in letters]
    return Quantity(name, lambda fields: differentiated(fields[field], symbols))


def scaled(number: sympy.Expr, *quantities: Quantity) -> Quantity:
    """Return a number times quantities."""
    product = "*".join(f"({q.text})" if " " in q.text else q.text for q in quantities)
    return Quantity(
        f"({text(number)})*{product}",
        lambda fields: sympy.Mul(number, *(q.of(fields) for q in quantities)),
    )


def total(quantities: Sequence[Quantity]) -> Quantity:
    """Return a sum."""
    return Quantity(
        " + ".join(q.text for q in quantities),
        lambda fields: sympy.Add(*(q.of(fields) for q in quantities)),
    )


def minus(left: Quantity, right: sympy.Expr) -> Quantity:
    """Return a quantity less an expression of the coordinates."""
    return Quantity(f"{left.text} - ({text(right)})", lambda fields: left.of(fields) - right)


def along_normal(field: str, space: Sequence[Axis]) -> Quantity:
    """Return the derivative along the outward normal in space."""
    return Quantity(
        f"{field}_n",
        lambda fields: sympy.Add(
            *(normal(axis.name) * sympy.diff(fields[field], axis.symbol) for axis in space)
        ),
    )


def operator(
    rng: Random, field: str, exact: Fields, axes: Sequence[Axis], time: str | None
) -> Quantity:
    """Return a differential operator of a field in which every one of the axes occurs."""
    size = size_of(exact[field])
    terms = []
    for axis in axes:
        order = rng.randint(1, 2) if axis.name == time else rng.choice([1, 2, 2, 2, 3, 4])
        terms.append({axis: order})
    if len(axes) > 1 and rng.random() < 0.4:
        one, two = rng.sample(list(axes), 2)
        terms.append({one: rng.randint(1, 2), two: rng.randint(1, 2)})
    found = []
    for orders in terms:
        scale = sympy.Mul(*(short(axis.length, 1) ** order for axis, order in orders.items()))
        number = scale / size * sympy.Rational(rng.randint(1, 5) * rng.choice([-1, 1]), 4)
        found.append(scaled(number, derivative(rng, field, orders)))
    other = rng.choice(list(exact))
    itself, second = derivative(rng, field, {}), derivative(rng, other, {})
    if rng.random() < 0.3:
        slope = derivative(rng, other, {axes[0]: 1})
        number = short(axes[0].length, 1) / size / size_of(exact[other])
        found.append(scaled(number, itself, slope))
    if rng.random() < 0.3:
        inner = scaled(1 / size_of(exact[other]), second)
        found.append(Quantity(f"sin({inner.text})", lambda fields: sympy.sin(inner.of(fields))))
    return total(found)
