"""Values that remember how they were computed: operators make longer texts of them.

The texts are in the notation of a config, and are read in the order in which Python computed.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

import numpy as np
import sympy

from pdehvd.errors import ConfigError
from pdehvd.numerics.functions import FUNCTIONS
from pdehvd.numerics.printing import printed

# How tightly the outermost operation of a text binds.
_OR, _AND, _NOT, _RELATION, _SUM, _PRODUCT, _SIGN, _POWER, ATOM = range(9)


def as_number(value: object) -> int | float | None:
    """Return a number of Python, NumPy or TensorFlow as one of Python; None for all else."""
    if isinstance(value, bool | np.bool_):
        return None
    if getattr(value, "shape", None) == () and hasattr(value, "__float__"):
        value = float(value)
    if not isinstance(value, numbers.Real):
        return None
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def described(value: object) -> str:
    """Return what a value is, in a few words."""
    name = getattr(value, "__name__", "")
    return f"the function {name}" if callable(value) and name else f"a {type(value).__name__}"


class _Text:
    """A text, and how tightly its outermost operation binds."""

    __slots__ = ("binding", "text")

    def __init__(self, text: str, binding: int) -> None:
        self.text = text
        self.binding = binding

    def within(self, binding: int) -> str:
        """Return the text as an operand of an operation, in brackets where it binds less."""
        return self.text if self.binding >= binding else f"({self.text})"

    def __bool__(self) -> bool:
        raise ConfigError(
            f"the function decides by '{self.text}', which has no value while it is recorded",
            (),
            "np.where(condition, a, b), np.minimum, np.maximum, and & for 'and'",
        )

    def __array_function__(
        self,
        function: Callable[..., object],
        types: object,
        arguments: Sequence[object],
        options: Mapping[str, object],
    ) -> Recorded:
        if function.__name__ != "where" or len(arguments) != 3 or options:
            _refuse(function.__name__)
        return where(*arguments)


class Condition(_Text):
    """A comparison, for `np.where`."""

    __slots__ = ()

    def __and__(self, other: object) -> Condition:
        return _joined(self, "and", other, _AND)

    def __or__(self, other: object) -> Condition:
        return _joined(self, "or", other, _OR)

    def __invert__(self) -> Condition:
        return Condition(f"not {self.within(_RELATION)}", _NOT)

    def __array_ufunc__(
        self, ufunc: Callable[..., object], method: str, *inputs: object, **options: object
    ) -> Condition:
        joined = _CONDITIONS.get(ufunc.__name__) if method == "__call__" and not options else None
        if joined is None or not isinstance(inputs[0], Condition):
            _refuse(ufunc.__name__)
        return joined(*inputs)


def _joined(left: Condition, word: str, right: object, binding: int) -> Condition:
    if not isinstance(right, Condition):
        raise ConfigError(f"'{word}' joins a condition with {described(right)}", (), "x > 0")
    return Condition(f"{left.within(binding)} {word} {right.within(binding + 1)}", binding)


_CONDITIONS: dict[str, Callable[..., Condition]] = {
    **dict.fromkeys(("logical_and", "bitwise_and"), Condition.__and__),
    **dict.fromkeys(("logical_or", "bitwise_or"), Condition.__or__),
    **dict.fromkeys(("logical_not", "invert"), Condition.__invert__),
}


class Recorded(_Text):
    """What a function has computed of its arguments so far, as a text."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: object) -> Recorded:
        return _binary(self, " + ", other, _SUM)

    def __radd__(self, other: object) -> Recorded:
        return _binary(other, " + ", self, _SUM)

    def __sub__(self, other: object) -> Recorded:
        return _binary(self, " - ", other, _SUM)

    def __rsub__(self, other: object) -> Recorded:
        return _binary(other, " - ", self, _SUM)

    def __mul__(self, other: object) -> Recorded:
        return _binary(self, "*", other, _PRODUCT)

    def __rmul__(self, other: object) -> Recorded:
        return _binary(other, "*", self, _PRODUCT)

    def __truediv__(self, other: object) -> Recorded:
        return _binary(self, "/", other, _PRODUCT)

    def __rtruediv__(self, other: object) -> Recorded:
        return _binary(other, "/", self, _PRODUCT)

    def __pow__(self, other: object) -> Recorded:
        return _power(self, other)

    def __rpow__(self, other: object) -> Recorded:
        return _power(other, self)

    def __neg__(self) -> Recorded:
        inner = f"({self.text})" if self.text.startswith("-") else self.within(_PRODUCT)
        return Recorded(f"-{inner}", _PRODUCT if self.binding == _PRODUCT else _SIGN)

    def __pos__(self) -> Recorded:
        return self

    def __abs__(self) -> Recorded:
        return Recorded(f"abs({self.text})", ATOM)

    def __lt__(self, other: object) -> Condition:
        return _compared(self, "<", other)

    def __le__(self, other: object) -> Condition:
        return _compared(self, "<=", other)

    def __gt__(self, other: object) -> Condition:
        return _compared(self, ">", other)

    def __ge__(self, other: object) -> Condition:
        return _compared(self, ">=", other)

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return _compared(self, "=", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return _compared(self, "!=", other)

    def __float__(self) -> float:
        raise ConfigError(
            f"the function asks for the value of '{self.text}', which is recorded without one",
            (),
            "np.sin instead of math.sin",
        )

    __int__ = __index__ = __complex__ = __float__

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"'{self.text}' has no '{name}'; a derivative is an argument: u_x")

    def _sympy_(self) -> sympy.Symbol:
        """Return what SymPy computes with: a symbol that is printed as this text."""
        return sympy.Symbol(self.within(ATOM), real=True)

    def __array_ufunc__(
        self, ufunc: Callable[..., object], method: str, *inputs: object, **options: object
    ) -> Recorded | Condition:
        if method != "__call__" or options:
            _refuse(ufunc.__name__)
        return call(ufunc.__name__, *inputs)


def _piece(value: object) -> Recorded:
    """Return an operand: what is noted already, or a number."""
    if isinstance(value, Recorded):
        return value
    if isinstance(value, sympy.Basic):
        return Recorded(printed(value), _OR)
    number = as_number(value)
    if number is None or not math.isfinite(number):
        what = f"the number {value}" if number is not None else described(value)
        raise ConfigError(f"{what} stands in the expression of a function", (), "finite numbers")
    size = abs(number)
    names = {math.pi: "pi", math.e: "e"}
    text = names.get(size, repr(size))
    return Recorded(f"-{text}", _SIGN) if number < 0 else Recorded(text, ATOM)


def _binary(left: object, sign: str, right: object, binding: int) -> Recorded:
    """Return a text that is read in the same order as Python computes."""
    first, second = _piece(left), _piece(right)
    return Recorded(f"{first.within(binding)}{sign}{_after(second, binding)}", binding)


def _after(piece: Recorded, binding: int) -> str:
    """Return what stands behind an operator; a sign there needs brackets."""
    signed = piece.text.startswith("-")
    return f"({piece.text})" if signed or piece.binding <= binding else piece.text


def _power(base: object, exponent: object) -> Recorded:
    first, second = _piece(base), _piece(exponent)
    return Recorded(f"{first.within(ATOM)}^{second.within(ATOM)}", _POWER)


def _compared(left: object, sign: str, right: object) -> Condition:
    first, second = _piece(left), _piece(right)
    return Condition(f"{first.within(_SUM)} {sign} {second.within(_SUM)}", _RELATION)


def where(condition: object, yes: object, no: object) -> Recorded:
    """Note a choice; the condition must be a comparison of noted values."""
    if not isinstance(condition, Condition):
        raise ConfigError(f"where chooses by {described(condition)}", (), "a comparison: x > 0")
    return Recorded(f"where({condition.text}, {_piece(yes).text}, {_piece(no).text})", ATOM)


def call(name: str, *arguments: object) -> Recorded | Condition:
    """Note the call of a function by its name in NumPy or TensorFlow. Raises `ConfigError`."""
    if name in _OPERATORS:
        return _OPERATORS[name](*arguments)
    known = _RENAMED.get(name, name)
    if known not in FUNCTIONS or known == "where":
        _refuse(name)
    low, high = FUNCTIONS[known].arguments
    if not low <= len(arguments) <= high:
        _refuse(name)
    return Recorded(f"{known}({', '.join(_piece(one).text for one in arguments)})", ATOM)


def _heaviside(value: object, at_zero: object) -> Recorded:
    if at_zero != 0.5:
        raise ConfigError("heaviside is 1/2 at 0 in expressions", (), "np.heaviside(x, 0.5)")
    return Recorded(f"heaviside({_piece(value).text})", ATOM)


def _refuse(name: str) -> NoReturn:
    known = ", ".join(name for name in FUNCTIONS)
    raise ConfigError(f"'{name}' cannot be recorded as an expression", (), f"one of {known}")


_RENAMED = {
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "absolute": "abs",
    "fabs": "abs",
    "minimum": "min",
    "maximum": "max",
    "fmin": "min",
    "fmax": "max",
}
_OPERATORS: dict[str, Callable[..., Recorded | Condition]] = {
    "add": lambda a, b: _piece(a) + b,
    "subtract": lambda a, b: _piece(a) - b,
    "multiply": lambda a, b: _piece(a) * b,
    "divide": lambda a, b: _piece(a) / b,
    "true_divide": lambda a, b: _piece(a) / b,
    "power": _power,
    "float_power": _power,
    "pow": _power,
    "negative": lambda a: -_piece(a),
    "positive": lambda a: _piece(a),
    "square": lambda a: _power(a, 2),
    "reciprocal": lambda a: 1 / _piece(a),
    "heaviside": _heaviside,
    "less": lambda a, b: _compared(a, "<", b),
    "less_equal": lambda a, b: _compared(a, "<=", b),
    "greater": lambda a, b: _compared(a, ">", b),
    "greater_equal": lambda a, b: _compared(a, ">=", b),
    "equal": lambda a, b: _compared(a, "=", b),
    "not_equal": lambda a, b: _compared(a, "!=", b),
}
