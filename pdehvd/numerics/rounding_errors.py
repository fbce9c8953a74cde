"""Expressions with bounds on their rounding errors: which values are only what rounding left."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from numpy.typing import ArrayLike

from pdehvd.numerics.operations import NUMPY, Operations
from pdehvd.numerics.program import Program

# Relative error of an input and of a step: a few units in the last place of double precision.
UNIT = 4 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Bounded:
    """Values [n] or [], and how far rounding may have moved them."""

    value: np.ndarray
    error: np.ndarray


def compile_settled(
    expressions: Sequence[sympy.Basic], names: Sequence[str]
) -> Callable[[Mapping[str, ArrayLike]], list[np.ndarray]]:
    """Return a function as `compile_numpy` does, which gives 0 for values that are rounding errors.

    sin(pi*x) at x = 1 is 1.2e-16 in double precision, and 0 here. Each input is taken to be off by
    `UNIT` of the largest of its column. Raises ExpressionError where a name is not in `names`.
    """
    program = Program(expressions, names)

    def evaluate(inputs: Mapping[str, ArrayLike]) -> list[np.ndarray]:
        arrays = {n: np.asarray(inputs[n], np.float64) for n in program.names if n in inputs}
        shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
        with np.errstate(all="ignore"):
            given = {name: Bounded(own, _input_error(own)) for name, own in arrays.items()}
            results = program.run(_BOUNDED, given)
            return [np.array(np.broadcast_to(_settled(one), shape)) for one in results]

    return evaluate


def _input_error(values: np.ndarray) -> np.ndarray:
    return np.asarray(UNIT * np.abs(values[np.isfinite(values)]).max(initial=0.0))


def _settled(result: Bounded) -> np.ndarray:
    """Return values, 0 where they do not exceed their bounds, if these are known."""
    dust = np.isfinite(result.error) & (result.error > 0) & (abs(result.value) <= result.error)
    return np.where(dust, np.zeros_like(result.value), result.value)


def _constant(value: float) -> Bounded:
    whole = float(value).is_integer()
    return Bounded(np.asarray(value), np.asarray(0.0 if whole else UNIT * abs(value)))


def _sum(sign: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[..., Bounded]:
    def run(a: Bounded, b: Bounded) -> Bounded:
        value = sign(a.value, b.value)
        return Bounded(value, a.error + b.error + UNIT * abs(value))

    return run


def _multiply(a: Bounded, b: Bounded) -> Bounded:
    value = a.value * b.value
    error = abs(a.value) * b.error + abs(b.value) * a.error + a.error * b.error
    return Bounded(value, error + UNIT * abs(value))


def _divide(a: Bounded, b: Bounded) -> Bounded:
    value = a.value / b.value
    certain = np.maximum(abs(b.value) - b.error, 0.0)
    return Bounded(value, (a.error + abs(value) * b.error) / certain + UNIT * abs(value))


def _continuous(function: Callable[..., np.ndarray | np.generic]) -> Callable[..., Bounded]:
    """Return a continuous function that is tried at both ends of the range of each argument."""

    def run(*arguments: Bounded) -> Bounded:
        middle = [argument.value for argument in arguments]
        value = np.asarray(function(*middle))
        error = UNIT * abs(value)
        for index, own in enumerate(arguments):
            changes = [
                abs(function(*middle[:index], end, *middle[index + 1 :]) - value)
                for end in (own.value - own.error, own.value + own.error)
            ]
            # An end outside the domain of the function, as of a root, says nothing.
            error = error + np.nan_to_num(np.fmax(*changes), nan=0.0, posinf=np.inf)
        return Bounded(value, error)

    return run


def _discrete(function: Callable[..., np.ndarray | np.generic]) -> Callable[..., Bounded]:
    """Return a function that jumps: which side an argument is on is taken as computed."""

    def run(*arguments: Bounded) -> Bounded:
        value = function(*(argument.value for argument in arguments))
        return Bounded(np.asarray(value), np.asarray(0.0))

    return run


def _choose(chosen: Bounded, yes: Bounded, no: Bounded) -> Bounded:
    value = np.where(chosen.value, yes.value, no.value)
    return Bounded(value, np.where(chosen.value, yes.error, no.error))


_JUMPS = ("sign", "equal", "not_equal", "less", "less_equal", "and", "or", "not")
_BOUNDED: Operations[Bounded] = {
    **{name: _continuous(function) for name, function in NUMPY.items()},
    **{name: _discrete(NUMPY[name]) for name in _JUMPS},
    "add": _sum(operator.add),
    "subtract": _sum(operator.sub),
    "multiply": _multiply,
    "divide": _divide,
    "where": _choose,
    "constant": _constant,
    "truth": lambda value: Bounded(np.asarray(value), np.asarray(0.0)),
}
