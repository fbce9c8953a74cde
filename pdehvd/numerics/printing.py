"""SymPy's expressions in the notation of a config."""

from __future__ import annotations

import sympy
from sympy.printing.str import StrPrinter

from pdehvd.errors import ConfigError


class _Printer(StrPrinter):  # type: ignore[misc]
    """SymPy's printer, with the names and the digits that a config has."""

    def _print_Float(self, number: sympy.Float) -> str:
        return repr(float(number))

    def _print_Exp1(self, _: sympy.Basic) -> str:
        return "e"

    def _print_Abs(self, value: sympy.Basic) -> str:
        return f"abs({self._print(value.args[0])})"

    def _print_Max(self, value: sympy.Basic) -> str:
        return f"max({self.stringify(value.args, ', ')})"

    def _print_Min(self, value: sympy.Basic) -> str:
        return f"min({self.stringify(value.args, ', ')})"

    def _print_Heaviside(self, value: sympy.Basic) -> str:
        if len(value.args) > 1 and value.args[1] != sympy.Rational(1, 2):
            raise ConfigError("heaviside is 1/2 at 0 in expressions", (), "sympy.Heaviside(x)")
        return f"heaviside({self._print(value.args[0])})"

    def _print_Piecewise(self, value: sympy.Piecewise) -> str:
        *cases, last = value.args
        if last[1] != sympy.true:
            raise ConfigError("a Piecewise has no value elsewhere", (), "a last pair (value, True)")
        text = self._print(last[0])
        for branch, condition in reversed(cases):
            text = f"where({self._print(condition)}, {self._print(branch)}, {text})"
        return str(text)

    def _print_Relational(self, value: sympy.Rel) -> str:
        signs = {"==": "="}
        left, right = self._print(value.lhs), self._print(value.rhs)
        return f"{left} {signs.get(value.rel_op, value.rel_op)} {right}"

    def _print_And(self, value: sympy.And) -> str:
        return " and ".join(f"({self._print(one)})" for one in value.args)

    def _print_Or(self, value: sympy.Or) -> str:
        return " or ".join(f"({self._print(one)})" for one in value.args)

    def _print_Not(self, value: sympy.Not) -> str:
        return f"not ({self._print(value.args[0])})"


def printed(expression: sympy.Basic) -> str:
    """Return a SymPy expression as a text that `parse` reads as the same expression.

    Raises `ConfigError` for a `Piecewise` without a last case.
    """
    return str(_Printer({"full_prec": False}).doprint(expression))
