"""The constants and functions that every expression may use, exact and in floating point."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import scipy.special
import sympy
from sympy.printing.str import StrPrinter

from pdehvd.numerics.syntax import ExpressionError, identifier


class Value(NamedTuple):
    """A sub-expression, and its value in floating point where it contains no symbol."""

    expr: sympy.Basic
    number: float | None


class Function(NamedTuple):
    """How a function is built in SymPy, and computed where all arguments are numbers.

    `choose`, for functions that branch, decides by the numbers so that SymPy need not compare.
    """

    arguments: tuple[int, int]
    build: Callable[..., sympy.Basic]
    number: Callable[..., float]
    choose: Callable[..., Value] | None = None


class Where(sympy.Function):  # type: ignore[misc]
    """where(condition, a, b): a where the condition holds, else b.

    SymPy's Piecewise tries to solve its conditions whenever it is built, which can take minutes.
    """

    nargs = 3

    @classmethod
    def eval(cls, condition: sympy.Basic, yes: sympy.Basic, no: sympy.Basic) -> sympy.Basic:
        """Return a branch where there is nothing to choose."""
        if condition in (sympy.true, sympy.false):
            return yes if condition == sympy.true else no
        return yes if yes == no else None

    def _eval_derivative(self, argument: sympy.Basic) -> sympy.Basic:
        condition, yes, no = self.args
        return Where(condition, yes.diff(argument), no.diff(argument))

    def _eval_is_extended_real(self) -> bool | None:
        return True if all(branch.is_extended_real for branch in self.args[1:]) else None

    def _sympystr(self, printer: StrPrinter) -> str:
        return f"where({', '.join(printer.doprint(argument) for argument in self.args)})"


class Floor(sympy.Function):  # type: ignore[misc]
    """floor(a), the largest whole number up to a; its derivative is 0, as it is almost everywhere.

    That of SymPy's own is an expression that nothing here can compute.
    """

    nargs = 1

    @classmethod
    def eval(cls, argument: sympy.Basic) -> sympy.Basic:
        """Return the whole number below a number."""
        return sympy.floor(argument) if argument.is_number else None

    def fdiff(self, argindex: int = 1) -> sympy.Basic:
        """Return the derivative."""
        return sympy.S.Zero

    def _eval_is_extended_real(self) -> bool | None:
        return True if self.args[0].is_extended_real else None

    def _sympystr(self, printer: StrPrinter) -> str:
        return f"floor({printer.doprint(self.args[0])})"


def symbol(name: str) -> sympy.Symbol:
    """Return the one SymPy symbol of a name; symbols built elsewhere would not compare equal."""
    return sympy.Symbol(identifier(name), real=True)


def exact(number: float) -> sympy.Rational:
    """Return the fraction whose decimal digits a person would write for `number` (0.1 -> 1/10).

    It rounds back to the same double, and sums and ratios of such numbers stay exact.
    """
    return sympy.Integer(number) if isinstance(number, int) else sympy.Rational(repr(float(number)))


def constant_value(expr: sympy.Basic) -> float:
    """Return an expression without symbols as a double, correct to one unit in the last place.

    Raises ExpressionError when it is not a finite real number.
    """
    try:
        value = expr.p / expr.q if expr.is_Rational else float(expr.evalf(20))
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        value = math.nan
    if not math.isfinite(value):
        raise ExpressionError(f"'{expr}' is not a finite real number")
    return value


def _absolute(argument: sympy.Basic) -> sympy.Basic:
    """Return |a|; where SymPy cannot prove `a` real its derivative would hold `re` and `im`."""
    return sympy.Abs(argument) if argument.is_extended_real else sympy.Max(argument, -argument)


def _sign(argument: sympy.Basic) -> sympy.Basic:
    if argument.is_extended_real:
        return sympy.sign(argument)
    return Where(argument < 0, -1, Where(argument > 0, 1, 0))


def _choose_absolute(part: Value) -> Value:
    return part if (part.number or 0.0) >= 0 else Value(-part.expr, -(part.number or 0.0))


def _number_sign(x: float) -> float:
    return float((x > 0) - (x < 0))


def _number_step(x: float) -> float:
    return 0.5 + 0.5 * _number_sign(x)


def _choose_step(part: Value) -> Value:
    step = _number_step(part.number or 0.0)
    return Value(exact(step), step)


def _choose_sign(part: Value) -> Value:
    sign = _number_sign(part.number or 0.0)
    return Value(exact(sign), sign)


def _choose_floor(part: Value) -> Value:
    whole = math.floor(part.number or 0.0)
    return Value(exact(whole), float(whole))


def _largest(*parts: Value) -> Value:
    return max(parts, key=lambda part: part.number or 0.0)


def _smallest(*parts: Value) -> Value:
    return min(parts, key=lambda part: part.number or 0.0)


def _bessel(kind: type[sympy.Function]) -> Callable[..., sympy.Basic]:
    """Return how a Bessel function is built; its order is a whole number."""

    def build(order: sympy.Basic, argument: sympy.Basic) -> sympy.Basic:
        if not (order.is_Integer and 0 <= order <= HIGHEST):
            raise ExpressionError(
                f"the order of {kind.__name__} is '{order}'", (), f"a whole number to {HIGHEST}"
            )
        return kind(order, argument)

    return build


# The highest order of Bessel functions.
HIGHEST = 20
_ONE, _MANY = (1, 1), (2, 100)

CONSTANTS: dict[str, sympy.Expr] = {"pi": sympy.pi, "e": sympy.E}

FUNCTIONS: dict[str, Function] = {
    "sin": Function(_ONE, sympy.sin, math.sin),
    "cos": Function(_ONE, sympy.cos, math.cos),
    "tan": Function(_ONE, sympy.tan, math.tan),
    "asin": Function(_ONE, sympy.asin, math.asin),
    "acos": Function(_ONE, sympy.acos, math.acos),
    "atan": Function(_ONE, sympy.atan, math.atan),
    "atan2": Function((2, 2), sympy.atan2, math.atan2),
    "sinh": Function(_ONE, sympy.sinh, math.sinh),
    "cosh": Function(_ONE, sympy.cosh, math.cosh),
    "tanh": Function(_ONE, sympy.tanh, math.tanh),
    "exp": Function(_ONE, sympy.exp, math.exp),
    "log": Function(_ONE, sympy.log, math.log),
    "ln": Function(_ONE, sympy.log, math.log),
    "log10": Function(_ONE, lambda a: sympy.log(a) / sympy.log(10), math.log10),
    "erf": Function(_ONE, sympy.erf, math.erf),
    "erfc": Function(_ONE, sympy.erfc, math.erfc),
    "besselj": Function((2, 2), _bessel(sympy.besselj), scipy.special.jv),
    "bessely": Function((2, 2), _bessel(sympy.bessely), scipy.special.yv),
    "besseli": Function((2, 2), _bessel(sympy.besseli), scipy.special.iv),
    "besselk": Function((2, 2), _bessel(sympy.besselk), scipy.special.kv),
    "sqrt": Function(_ONE, sympy.sqrt, math.sqrt),
    "abs": Function(_ONE, _absolute, abs, _choose_absolute),
    "sign": Function(_ONE, _sign, _number_sign, _choose_sign),
    "floor": Function(_ONE, Floor, math.floor, _choose_floor),
    "min": Function(_MANY, sympy.Min, min, _smallest),
    "max": Function(_MANY, sympy.Max, max, _largest),
    "heaviside": Function(_ONE, sympy.Heaviside, _number_step, _choose_step),
    "where": Function((3, 3), Where, max),
}
