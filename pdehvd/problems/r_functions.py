"""Functions that vanish on boundaries: joined so that their signs follow set operations.

Source: V. Rvachev's R-functions, as in V. Shapiro, Acta Numerica 16 (2007), 239-303.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import sympy


def both(first: sympy.Expr, second: sympy.Expr) -> sympy.Expr:
    """Return a + b - sqrt(a^2 + b^2), which is positive where a and b are."""
    return first + second - sympy.sqrt(first**2 + second**2)


def either(first: sympy.Expr, second: sympy.Expr) -> sympy.Expr:
    """Return a + b + sqrt(a^2 + b^2), which is positive where a or b is."""
    return first + second + sympy.sqrt(first**2 + second**2)


def all_of(functions: Sequence[sympy.Expr]) -> sympy.Expr:
    """Return a function that is positive where all functions are."""
    return reduce(both, functions)


def any_of(functions: Sequence[sympy.Expr]) -> sympy.Expr:
    """Return a function that is positive where one of the functions is."""
    return reduce(either, functions)


def strip(x: sympy.Expr, low: float, high: float) -> sympy.Expr:
    """Return 4 (x - low) (high - x) / (high - low)^2: 1 in the middle, 0 at the ends."""
    return 4 * (x - low) * (high - x) / (high - low) ** 2


def bounded(s: sympy.Expr) -> sympy.Expr:
    """Return s / sqrt(1 + s^2), which has the sign of s and is below 1 far away."""
    return s / sympy.sqrt(1 + s**2)
