"""Functions of Python as expressions: a function is called once, and what it computes is recorded.

A run directory then holds a text, as if it had been written by hand, and no code.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable

import sympy

from pdehvd.errors import ConfigError
from pdehvd.numerics.printing import printed
from pdehvd.numerics.recorded import ATOM, Recorded, as_number, described

_PLUGIN = "an expression of its arguments; what cannot be written as one needs a plug-in"


def expression(function: Callable[..., object]) -> str | int | float:
    """Return what a function computes, as the text of an expression.

    The names of its arguments are those that an expression may use in the same place:
    coordinates, fields, derivatives such as `u_xx`, constants. Arguments with a default keep it.
    The function is called once, with placeholders: operators, NumPy's functions (`np.sin`,
    `np.where`, `np.maximum`), their namesakes of TensorFlow, and `erf` of SciPy are noted.

    Raises `ConfigError` for a function that does anything else with its arguments.

    Arguments:
        function: of the names that the expression may use, returning a number or what it computed
            of them

    >>> expression(lambda x, t: -np.sin(np.pi * x) * np.exp(-t))
    '-sin(pi*x)*exp(-t)'
    >>> nu = 0.01
    >>> expression(lambda u, u_t, u_x, u_xx: u_t + u * u_x - nu * u_xx)
    'u_t + u*u_x - 0.01*u_xx'
    """
    if "tensorflow" in sys.modules:
        from pdehvd.numerics.recorded_tensorflow import dispatch

        dispatch()
    arguments = [Recorded(name, ATOM) for name in _names(function)]
    try:
        result = function(*arguments)
    except ConfigError:
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ConfigError(f"the function failed: {reason}", (), _PLUGIN) from error
    if isinstance(result, Recorded):
        return result.text
    if isinstance(result, sympy.Basic):
        return printed(result)
    number = as_number(result)
    if number is None:
        raise ConfigError(f"the function returned {described(result)}", (), _PLUGIN)
    return number


def as_text(value: object) -> object:
    """Return a function, or what SymPy has computed, as a text; anything else as it is."""
    if isinstance(value, sympy.Basic):
        return printed(value)
    return expression(value) if callable(value) and not isinstance(value, type) else value


def _names(function: Callable[..., object]) -> list[str]:
    """Return the names of the arguments that a function must be given."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        message = f"the arguments of {described(function)} are not known"
        raise ConfigError(message, (), "a function such as lambda x, t: ...") from error
    required = [one for one in parameters if one.default is one.empty]
    for one in required:
        if one.kind not in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD):
            raise ConfigError(
                f"the argument '{one.name}' of the function has no place",
                (),
                "arguments by name, such as lambda x, t: ...",
            )
    return [one.name for one in required]
