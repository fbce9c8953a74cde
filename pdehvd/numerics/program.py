"""From SymPy to a straight-line program that TensorFlow and NumPy can run alike.

No code is generated: a program is a tuple of steps, each an operation on the results of earlier
steps, and equal steps are stored once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import sympy

from pdehvd.numerics.functions import Where, constant_value
from pdehvd.numerics.operations import BESSEL, RECIPROCAL, RELATIONS, SAFE, UNARY, Operations
from pdehvd.numerics.syntax import ExpressionError

Value = TypeVar("Value")


class Operation(NamedTuple):
    """An operation on the results of steps, or an input's name, or a constant."""

    operation: str
    arguments: tuple[int | float | str, ...]


class Program:
    """A straight-line program for some expressions; `outputs` are step numbers."""

    def __init__(self, expressions: Sequence[sympy.Basic], names: Sequence[str]) -> None:
        self.steps: list[Operation] = []
        self.names = tuple(names)
        self._numbers: dict[Operation, int] = {}
        self._mask: int | None = None  # the step that says where the present branch is taken
        self._known: dict[tuple[sympy.Basic, int | None], int] = {}
        self._bound: dict[sympy.Symbol, int] = {}
        expressions = [sympy.sympify(expression) for expression in expressions]
        self._check(expressions)
        if not any(e.is_Boolean or e.has(sympy.Piecewise, Where) for e in expressions):
            fresh = sympy.numbered_symbols(cls=sympy.Dummy, real=True)
            shared, expressions = sympy.cse(expressions, symbols=fresh, order="none")
            for dummy, expression in shared:
                self._bound[dummy] = self._step(expression)
        self.outputs = [self._step(expression) for expression in expressions]

    def _check(self, expressions: Sequence[sympy.Basic]) -> None:
        for expression in expressions:
            unknown = sorted({str(s) for s in expression.free_symbols} - set(self.names))
            if unknown:
                names = ", ".join(self.names) or "no names"
                raise ExpressionError(f"'{unknown[0]}' has no value here", (), f"only {names}")

    def _emit(self, operation: str, *arguments: int | float | str) -> int:
        step = Operation(operation, arguments)
        if step not in self._numbers:
            self._numbers[step] = len(self.steps)
            self.steps.append(step)
        return self._numbers[step]

    def _constant(self, value: float) -> int:
        return self._emit("constant", value)

    def _guarded(self, argument: int, safe: float) -> int:
        if self._mask is None:
            return argument
        return self._emit("where", self._mask, argument, self._constant(safe))

    def _step(self, expr: sympy.Basic) -> int:
        key = (expr, self._mask)
        if key not in self._known:
            self._known[key] = self._translate(expr)
        return self._known[key]

    def _translate(self, expr: sympy.Basic) -> int:
        if expr in self._bound:
            return self._bound[expr]
        if expr.is_Symbol:
            return self._emit("input", expr.name)
        if expr in (sympy.true, sympy.false):
            return self._emit("truth", expr == sympy.true)
        if isinstance(expr, sympy.logic.boolalg.Boolean):
            return self._condition(expr)
        if expr is sympy.nan:
            return self._constant(math.nan)
        if not expr.free_symbols:
            return self._constant(constant_value(expr))
        if expr.is_Add:
            return self._sum(expr)
        if expr.is_Mul:
            return self._product(expr)
        if expr.is_Pow:
            return self._power(expr)
        return self._function(expr)

    def _sum(self, expr: sympy.Basic) -> int:
        plus: list[int] = []
        minus: list[int] = []
        for term in expr.args:
            negative = term.as_coeff_Mul()[0].is_negative and bool(term.free_symbols)
            (minus if negative else plus).append(self._step(-term if negative else term))
        total = self._fold("add", plus) if plus else self._emit("negative", minus.pop(0))
        for term in minus:
            total = self._emit("subtract", total, term)
        return total

    def _product(self, expr: sympy.Basic) -> int:
        """Return a product: one constant, then the factors, then one division."""
        constant, upper, lower = sympy.S.One, [], []
        for factor in expr.args:
            if not factor.free_symbols:
                constant *= factor
            elif factor.is_Pow and factor.exp.is_number and factor.exp.is_negative:
                lower.append(self._step(1 / factor))
            else:
                upper.append(self._step(factor))
        value = constant_value(constant)
        negative = value == -1.0 and bool(upper)
        if not upper or abs(value) != 1.0:
            upper.insert(0, self._constant(value))
        result = self._fold("multiply", upper)
        if lower:
            result = self._emit("divide", result, self._guarded(self._fold("multiply", lower), 1.0))
        return self._emit("negative", result) if negative else result

    def _fold(self, operation: str, parts: Sequence[int]) -> int:
        result = parts[0]
        for part in parts[1:]:
            result = self._emit(operation, result, part)
        return result

    def _power(self, expr: sympy.Basic) -> int:
        base, exponent = expr.args
        if base == sympy.E:
            return self._unary("exp", exponent)
        if exponent.is_number and exponent.is_negative:
            lower = self._guarded(self._step(base**-exponent), 1.0)
            return self._emit("divide", self._constant(1.0), lower)
        if exponent.is_Integer:
            return self._repeated(self._step(base), int(exponent))
        if exponent.is_Rational and exponent.q == 2:
            root = self._unary("sqrt", base)
            whole = int(exponent.p) // 2
            if not whole:
                return root
            return self._emit("multiply", self._repeated(self._step(base), whole), root)
        return self._emit("power", self._guarded(self._step(base), 1.0), self._step(exponent))

    def _repeated(self, base: int, exponent: int) -> int:
        """Return an integer power by squaring: x^3 = x*x*x costs two products and no logarithm."""
        if exponent == 1:
            return base
        half = self._repeated(base, exponent // 2)
        square = self._emit("multiply", half, half)
        return self._emit("multiply", square, base) if exponent % 2 else square

    def _unary(self, operation: str, argument: sympy.Basic) -> int:
        step = self._step(argument)
        if operation in SAFE:
            step = self._guarded(step, SAFE[operation])
        return self._emit(operation, step)

    def _function(self, expr: sympy.Basic) -> int:
        kind = expr.func
        if kind in UNARY:
            return self._unary(UNARY[kind], expr.args[0])
        if kind in BESSEL:
            order, argument = (self._step(part) for part in expr.args)
            return self._emit(BESSEL[kind], order, self._guarded(argument, 1.0))
        if kind in RECIPROCAL:
            lower = self._guarded(self._unary(RECIPROCAL[kind], expr.args[0]), 1.0)
            return self._emit("divide", self._constant(1.0), lower)
        if kind in (sympy.Max, sympy.Min):
            operation = "maximum" if kind is sympy.Max else "minimum"
            return self._fold(operation, [self._step(argument) for argument in expr.args])
        if kind is sympy.atan2:
            y, x = (self._step(argument) for argument in expr.args)
            return self._emit("atan2", y, self._guarded(x, 1.0))
        if kind is sympy.Heaviside:
            sign = self._emit("sign", self._step(expr.args[0]))
            half = self._constant(0.5)
            return self._emit("add", self._emit("multiply", half, sign), half)
        if kind is sympy.DiracDelta:  # zero almost everywhere, as the derivative of a sign
            return self._constant(0.0)
        if kind is Where:
            condition, yes, no = expr.args
            return self._piecewise(((yes, condition), (no, sympy.true)))
        if kind is sympy.Piecewise:
            return self._piecewise(expr.args)
        raise ExpressionError(f"'{expr}' cannot be computed: no operation for {kind.__name__}")

    def _piecewise(self, pairs: Sequence[sympy.Basic]) -> int:
        if not pairs:
            return self._constant(math.nan)
        value, test = pairs[0]
        if test == sympy.true:
            return self._step(value)
        outer = self._mask
        chosen = self._step(test)
        self._mask = self._within(outer, chosen)
        yes = self._step(value)
        self._mask = self._within(outer, self._emit("not", chosen))
        no = self._piecewise(pairs[1:])
        self._mask = outer
        return self._emit("where", chosen, yes, no)

    def _within(self, outer: int | None, chosen: int) -> int:
        return chosen if outer is None else self._emit("and", outer, chosen)

    def _condition(self, expr: sympy.Basic) -> int:
        if expr.func in RELATIONS:
            operation, swap = RELATIONS[expr.func]
            left, right = (self._step(side) for side in expr.args)
            return (
                self._emit(operation, right, left) if swap else self._emit(operation, left, right)
            )
        parts = [self._step(part) for part in expr.args]
        if expr.func is sympy.Not:
            return self._emit("not", parts[0])
        if expr.func is sympy.ITE:
            yes = self._emit("and", parts[0], parts[1])
            no = self._emit("and", self._emit("not", parts[0]), parts[2])
            return self._emit("or", yes, no)
        if expr.func in (sympy.And, sympy.Or):
            return self._fold("and" if expr.func is sympy.And else "or", parts)
        raise ExpressionError(f"'{expr}' is not a condition that can be computed")

    def run(self, operations: Operations[Value], inputs: Mapping[str, Value]) -> list[Value]:
        """Run the steps with an op table; `constant` and `truth` of the table make constants."""
        results: list[Value] = []
        for operation, arguments in self.steps:
            if operation == "input":
                results.append(inputs[str(arguments[0])])
            elif operation in ("constant", "truth"):
                results.append(operations[operation](arguments[0]))
            else:
                results.append(operations[operation](*(results[int(i)] for i in arguments)))
        return [results[i] for i in self.outputs]
