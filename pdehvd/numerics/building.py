"""SymPy nodes built one at a time, with the bounds that keep SymPy from never coming back."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence

import sympy

from pdehvd.numerics.functions import Value, constant_value
from pdehvd.numerics.syntax import ExpressionText

MAX_EXPONENT = 100
MAX_NUMBER = 1e300
MAX_ROOT = 100  # the largest q of an exponent p/q that is kept as a fraction
MAX_BITS = 20000  # of an exact fraction raised to a power

_UNREAL = (sympy.nan, sympy.zoo, sympy.oo, -sympy.oo, sympy.I)


def _inexact(exponent: sympy.Basic) -> sympy.Basic:
    """Round the awkward fractions of an exponent: SymPy would work out c^(p/q) exactly."""
    awkward = [n for n in exponent.atoms(sympy.Rational) if abs(n) > MAX_EXPONENT or n.q > MAX_ROOT]
    return exponent.xreplace({n: sympy.Float(constant_value(n), 17) for n in awkward})


class Builder:
    """Builds nodes for a source, and fails at their place in the text."""

    def __init__(self, source: ExpressionText) -> None:
        self.source = source

    def made(
        self,
        node: ast.expr,
        parts: Sequence[Value],
        build: Callable[[], sympy.Basic],
        number: Callable[..., float],
    ) -> Value:
        """Build a node; where all parts are numbers, in floating point first: that cannot hang."""
        given = [part.number for part in parts]
        value = None
        if None not in given:
            value = self.finite(node, lambda: number(*given))
        expr = self.built(node, build)
        if value is None and not expr.free_symbols:
            value = self.finite(node, lambda: constant_value(expr))
        return Value(expr, value)

    def finite(self, node: ast.expr, number: Callable[[], float]) -> float:
        """Return a number, or fail where it is infinite, complex or undefined."""
        try:
            value = number()
        except ZeroDivisionError:
            self.source.fail("division by zero", node)
        except (ArithmeticError, ValueError):
            value = math.nan
        if isinstance(value, complex) or not abs(value) <= MAX_NUMBER:
            self.source.fail(f"not a real number below {MAX_NUMBER:g}", node)
        return float(value)

    def built(self, node: ast.expr, build: Callable[[], sympy.Basic]) -> sympy.Basic:
        """Let SymPy build a node; what it cannot build as a finite real one is an error."""
        try:
            expr = build()
        except (ArithmeticError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            self.source.fail(f"cannot be evaluated: {error}", node)
        if expr.has(*_UNREAL):
            self.source.fail("has no finite real value", node)
        return expr

    def power(self, node: ast.BinOp, base: Value, exponent: Value) -> Value:
        """Build a power: exponents and the digits of exact numbers are bounded."""
        shift = exponent.expr.as_coeff_Add()[0]
        if abs(shift) > MAX_EXPONENT or abs(exponent.number or 0.0) > MAX_EXPONENT:
            self.source.fail(f"an exponent larger than {MAX_EXPONENT}", node.right)
        exponent = Value(_inexact(exponent.expr), exponent.number)
        coefficient = base.expr.as_coeff_Mul()[0]
        if coefficient.is_Rational and exponent.number is not None:
            bits = max(int(coefficient.p).bit_length(), int(coefficient.q).bit_length())
            if bits > 1 and bits * abs(exponent.number) > MAX_BITS:
                if base.number is None:
                    self.source.fail("a number in this power is too long", node)
                base = Value(sympy.Float(base.number, 17), base.number)
        result = self.made(
            node, [base, exponent], lambda: base.expr**exponent.expr, lambda x, y: x**y
        )
        total = result.expr.exp if result.expr.is_Pow else sympy.S.Zero
        if total.is_number and abs(constant_value(total)) > MAX_EXPONENT:
            self.source.fail(f"an exponent larger than {MAX_EXPONENT}", node)
        return result
