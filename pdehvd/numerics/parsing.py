"""From a syntax tree to SymPy: only whitelisted names, operators and functions pass."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NoReturn

import sympy

from pdehvd.errors import counted, nearest, same
from pdehvd.numerics.building import MAX_NUMBER, Builder
from pdehvd.numerics.derivatives import likely_partial, no_partial
from pdehvd.numerics.functions import CONSTANTS, FUNCTIONS, Value, Where, constant_value, exact
from pdehvd.numerics.operators import OPERATORS
from pdehvd.numerics.syntax import ExpressionText, identifier

MAX_DEPTH = 50

_ADDITIVE = (ast.Add, ast.Sub)
_MULTIPLICATIVE = (ast.Mult, ast.Div)
_RELATIONS: dict[type, tuple[Callable[..., sympy.Basic], Callable[[float, float], bool]]] = {
    ast.Eq: (sympy.Eq, lambda a, b: a == b),
    ast.NotEq: (sympy.Ne, lambda a, b: a != b),
    ast.Lt: (sympy.Lt, lambda a, b: a < b),
    ast.LtE: (sympy.Le, lambda a, b: a <= b),
    ast.Gt: (sympy.Gt, lambda a, b: a > b),
    ast.GtE: (sympy.Ge, lambda a, b: a >= b),
}


def _total(inverse: Sequence[bool], terms: Sequence[float]) -> float:
    return math.fsum(-term if minus else term for minus, term in zip(inverse, terms, strict=True))


def _product(inverse: Sequence[bool], factors: Sequence[float]) -> float:
    product = 1.0
    for under, factor in zip(inverse, factors, strict=True):
        product = product / factor if under else product * factor
    return product


class Walker:
    """Turns a syntax tree into SymPy, node by node; everything not named here is refused."""

    def __init__(
        self,
        source: ExpressionText,
        symbols: Mapping[str, sympy.Basic],
        fields: Sequence[str] = (),
        coordinates: Sequence[str] = (),
        space: Sequence[str] = (),
    ) -> None:
        self.source = source
        self.fields = fields
        self.coordinates = coordinates
        self.space = space
        self.nodes = Builder(source)
        self.symbols = {identifier(name): value for name, value in symbols.items()}

    def value(self, node: ast.expr, depth: int = 0) -> Value:
        """Return the number-valued expression under `node`."""
        if depth > MAX_DEPTH:
            self.source.fail(f"nested deeper than {MAX_DEPTH} levels", node)
        if isinstance(node, ast.Constant):
            return self._literal(node)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
            return self._signed(node, depth)
        if isinstance(node, ast.BinOp):
            return self._binary(node, depth)
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        if isinstance(node, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
            message = "a comparison is allowed only as the condition of where(...)"
            self.source.fail(message, node, "a number; an equation 'a = b' is written a - (b)")
        self.source.refuse(node)

    def condition(self, node: ast.expr, depth: int = 0) -> sympy.Basic:
        """Return the relation or the and/or/not of relations under `node`."""
        if depth > MAX_DEPTH:
            self.source.fail(f"nested deeper than {MAX_DEPTH} levels", node)
        if isinstance(node, ast.BoolOp):
            parts = [self.condition(part, depth + 1) for part in node.values]
            join = sympy.And if isinstance(node.op, ast.And) else sympy.Or
            return self.nodes.built(node, lambda: join(*parts))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.condition(node.operand, depth + 1)
            return self.nodes.built(node, lambda: sympy.Not(inner))
        if isinstance(node, ast.Compare):
            return self._comparison(node, depth)
        self.source.fail("this is not a condition", node, "a comparison such as x > 0")

    def _comparison(self, node: ast.Compare, depth: int) -> sympy.Basic:
        operands = [self.value(part, depth + 1) for part in (node.left, *node.comparators)]
        relations = []
        for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
            if type(operator) not in _RELATIONS:
                self.source.fail("not allowed in an expression: this comparison", node)
            relation, compare = _RELATIONS[type(operator)]
            if left.number is not None and right.number is not None:
                relations.append(sympy.true if compare(left.number, right.number) else sympy.false)
            else:
                built = self.nodes.built(node, partial(relation, left.expr, right.expr))
                numeric = left.number is not None and built.is_Relational
                relations.append(built.reversed if numeric else built)  # 0 < x reads x > 0
        return self.nodes.built(node, lambda: sympy.And(*relations))

    def _literal(self, node: ast.Constant) -> Value:
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            self.source.fail(f"not allowed in an expression: {node.value!r}", node, "a number")
        if not abs(node.value) <= MAX_NUMBER:
            self.source.fail(f"a number larger than {MAX_NUMBER:g}", node)
        return Value(exact(node.value), float(node.value))

    def _name(self, node: ast.Name) -> Value:
        name = node.id
        if name in self.symbols:
            expr = self.symbols[name]
            return Value(expr, None if expr.free_symbols else constant_value(expr))
        if name in CONSTANTS:
            return Value(CONSTANTS[name], float(CONSTANTS[name]))
        if name.startswith("__"):
            self.source.fail(f"not allowed in an expression: the name '{name}'", node)
        if name in FUNCTIONS:
            self.source.fail(f"'{name}' is a function", node, f"{name}(...)")
        self._unknown(node, name)

    def _unknown(self, node: ast.expr, name: str) -> NoReturn:
        valid = [*self.symbols, *CONSTANTS]
        guess = same(name, valid) or likely_partial(name, self.fields, self.coordinates)
        reason = "" if guess else no_partial(name, self.fields, self.coordinates)
        shown = ", ".join(valid[:20]) + (" ..." if len(valid) > 20 else "")
        self.source.fail(
            f"unknown name '{name}'" + (f": {reason}" if reason else ""),
            node,
            f"one of {shown}",
            guess or ("" if reason else nearest(name, valid)),
        )

    def _signed(self, node: ast.UnaryOp, depth: int) -> Value:
        inner = self.value(node.operand, depth + 1)
        if isinstance(node.op, ast.UAdd):
            return inner
        return Value(-inner.expr, None if inner.number is None else -inner.number)

    def _binary(self, node: ast.BinOp, depth: int) -> Value:
        if isinstance(node.op, ast.Pow):
            return self._power(node, depth)
        if isinstance(node.op, _ADDITIVE):
            return self._chain(node, depth, _ADDITIVE)
        if isinstance(node.op, _MULTIPLICATIVE):
            return self._chain(node, depth, _MULTIPLICATIVE)
        self.source.refuse(node.op, node)

    def _chain(self, node: ast.BinOp, depth: int, kind: tuple[type, ...]) -> Value:
        """Read a + b - c ... or a * b / c ... as one level, so that long sums are not deep."""
        tail: list[tuple[bool, Value]] = []
        head: ast.expr = node
        while isinstance(head, ast.BinOp) and isinstance(head.op, kind):
            inverse = isinstance(head.op, (ast.Sub, ast.Div))
            tail.append((inverse, self.value(head.right, depth + 1)))
            head = head.left
        parts = [(False, self.value(head, depth + 1)), *reversed(tail)]
        signs = [inverse for inverse, _ in parts]
        values = [part for _, part in parts]
        if kind is _ADDITIVE:
            terms = [-part.expr if inverse else part.expr for inverse, part in parts]
            return self.nodes.made(
                node, values, lambda: sympy.Add(*terms), lambda *n: _total(signs, n)
            )
        if any(inverse and part.expr == 0 for inverse, part in parts):
            self.source.fail("division by zero", node)
        factors = [1 / part.expr if inverse else part.expr for inverse, part in parts]
        return self.nodes.made(
            node, values, lambda: sympy.Mul(*factors), lambda *n: _product(signs, n)
        )

    def _power(self, node: ast.BinOp, depth: int) -> Value:
        base, exponent = self.value(node.left, depth + 1), self.value(node.right, depth + 1)
        return self.nodes.power(node, base, exponent)

    def _call(self, node: ast.Call, depth: int) -> Value:
        product = "a function name; a product is written with *"
        if not isinstance(node.func, ast.Name):
            if isinstance(node.func, (ast.Attribute, ast.Subscript)):
                self.source.refuse(node.func)
            self.source.fail("this is not a function", node.func, product)
        name = node.func.id
        if name in OPERATORS and self.coordinates and name not in self.symbols:
            self._refuse_keywords(node, name)
            return Value(OPERATORS[name](self, node, depth), None)
        if name not in FUNCTIONS:
            if name in self.symbols or name in CONSTANTS:
                self.source.fail(f"'{name}' is not a function", node, product)
            if name.startswith("__"):
                self.source.fail(f"not allowed in an expression: the name '{name}'", node)
            valid = ", ".join(FUNCTIONS)
            near = nearest(name, FUNCTIONS)
            self.source.fail(f"unknown function '{name}'", node, f"one of {valid}", near)
        self._refuse_keywords(node, name)
        function = FUNCTIONS[name]
        low, high = function.arguments
        if not low <= len(node.args) <= high:
            takes = ("" if low == high else "at least ") + counted(low, "argument")
            self.source.fail(f"{name} takes {takes}, not {len(node.args)}", node)
        if name == "where":
            return self._where(node, depth)
        parts = [self.value(argument, depth + 1) for argument in node.args]
        if function.choose is not None and all(part.number is not None for part in parts):
            return function.choose(*parts)
        return self.nodes.made(
            node, parts, lambda: function.build(*(part.expr for part in parts)), function.number
        )

    def _refuse_keywords(self, node: ast.Call, name: str) -> None:
        if node.keywords:
            self.source.fail(f"not allowed in an expression: named arguments of {name}", node)

    def _where(self, node: ast.Call, depth: int) -> Value:
        test = self.condition(node.args[0], depth + 1)
        yes, no = (self.value(part, depth + 1) for part in node.args[1:])
        if test in (sympy.true, sympy.false):
            return yes if test == sympy.true else no
        expr = self.nodes.built(node, lambda: Where(test, yes.expr, no.expr))
        return Value(expr, None if expr.free_symbols else yes.number)
