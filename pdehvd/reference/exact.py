"""Closed forms written in the config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import sympy
from pydantic import Field

from pdehvd.errors import ConfigError, nearest, within
from pdehvd.numerics.expressions import compile_numpy, parse, symbol
from pdehvd.problems.text import FromFunction
from pdehvd.reference.base import Number, Reference, ReferenceSpec
from pdehvd.spec import register

Function = Callable[[Mapping[str, np.ndarray]], list[np.ndarray]]


class ExactReference(Reference):
    """Closed forms of the coordinates; `expressions` holds them as SymPy sees them."""

    def __init__(
        self,
        coordinates: tuple[str, ...],
        expressions: Mapping[str, sympy.Expr],
        unknowns: Mapping[str, float],
        up_to_constant: Sequence[str],
    ) -> None:
        super().__init__(tuple(expressions), unknowns, up_to_constant)
        self.coordinates = coordinates
        self.expressions = dict(expressions)
        self.function: Function = compile_numpy(list(expressions.values()), coordinates)

    def evaluate(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return the closed forms [N] at points [N, D]."""
        columns = dict(zip(self.coordinates, points.T, strict=True))
        return dict(zip(self.fields, self.function(columns), strict=True))


@register("reference")
class Exact(ReferenceSpec, extra="allow"):
    """Closed forms: `{name: exact, u: x*cos(t)}`, one for each field that is known."""

    __pydantic_extra__: dict[str, Annotated[Number, FromFunction]]

    name: Literal["exact"] = "exact"
    up_to_constant: list[str] = Field([], description="Fields known up to a constant.")

    def inlined(self, inline: Callable[[Number], Number]) -> Exact:
        """Return the spec without names that the problem defines."""
        forms: dict[str, object] = {}
        for name, form in (self.__pydantic_extra__ or {}).items():
            with within(name):
                forms[name] = inline(form)
        kept = {"up_to_constant": self.up_to_constant, "unknowns": self.unknowns}
        return Exact.model_validate(kept | forms)

    def build(
        self,
        coordinates: tuple[str, ...],
        fields: tuple[str, ...],
        constants: Mapping[str, float],
    ) -> ExactReference:
        """Return the reference; the forms may use coordinates, constants and true unknowns.

        Raises ConfigError for a key that is not a field, and where nothing is known.
        """
        unknowns = self.values(constants)
        known = {name: sympy.Float(value, 17) for name, value in {**constants, **unknowns}.items()}
        symbols: dict[str, sympy.Basic] = {**known, **{name: symbol(name) for name in coordinates}}
        forms = self.__pydantic_extra__ or {}
        for name, place in [(n, n) for n in forms] + [
            (n, "up_to_constant") for n in self.up_to_constant
        ]:
            if name not in fields:
                expected = "one of the fields " + ", ".join(fields)
                raise ConfigError(
                    f"'{name}' is not a field", (place,), expected, nearest(name, fields)
                )
        if not forms and not unknowns:
            raise ConfigError(
                "the reference has no closed form of a field",
                (),
                f"a key such as {fields[0]}",
            )
        expressions = {}
        for name in fields:
            if name in forms:
                with within(name):
                    expressions[name] = parse(forms[name], symbols)
        return ExactReference(coordinates, expressions, unknowns, self.up_to_constant)
