"""Scales: the sizes of fields, terms and unknowns, by which a problem is made dimensionless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import sympy
from pydantic import Field

from pdehvd.errors import ConfigError, nearest, unknown
from pdehvd.numerics.derivatives import NETWORK
from pdehvd.numerics.expressions import exact, symbol
from pdehvd.problems.block import Term
from pdehvd.spec import Spec

Size = Annotated[float, Field(gt=0)]


class FieldScale(Spec):
    """A field is offset + size * network."""

    offset: float = 0.0
    size: Size


class ScaleSpec(Spec):
    """Sizes in the units of the file. What is null is found before training."""

    fields: dict[str, Size | FieldScale] | None = Field(
        None, description="field: its size, or {offset: 300, size: 700}"
    )
    terms: dict[str, Size] | None = Field(
        None, description="term of the loss: the size that its residuals are divided by"
    )
    unknowns: dict[str, Size] | None = Field(
        None, description="unknown: the size of the steps in which it is trained"
    )

    @property
    def open(self) -> bool:
        """Whether something is left to be found."""
        return None in (self.fields, self.terms, self.unknowns)

    def completed(
        self,
        fields: Mapping[str, float | FieldScale] | None = None,
        terms: Mapping[str, float] | None = None,
        unknowns: Mapping[str, float] | None = None,
    ) -> ScaleSpec:
        """Return the sizes with these in place of null."""
        found = {"fields": fields, "terms": terms, "unknowns": unknowns}
        return self.model_copy(
            update={
                name: dict(sizes)
                for name, sizes in found.items()
                if getattr(self, name) is None and sizes is not None
            }
        )

    def form(self, field: str) -> str:
        """Return a field as an expression of the network's raw output."""
        given = (self.fields or {}).get(field)
        if given is None:
            return NETWORK
        one = given if isinstance(given, FieldScale) else FieldScale(size=given)
        return (f"{one.offset:.12g} + " if one.offset else "") + f"{one.size:.12g}*{NETWORK}"

    def hard(self, hard: Mapping[str, sympy.Expr], fields: Sequence[str]) -> dict[str, sympy.Expr]:
        """Return the expressions of fields with scaled outputs. Raises `ConfigError`."""
        result, output = dict(hard), symbol(NETWORK)
        for name, given in (self.fields or {}).items():
            if name not in fields:
                raise unknown(name, "a field", fields, ("scale", "fields", name))
            one = given if isinstance(given, FieldScale) else FieldScale(size=given)
            scaled = exact(one.offset) + exact(one.size) * output
            result[name] = hard.get(name, output).xreplace({output: scaled})
        return result

    def divisor(self, term: Term) -> float:
        """Return the size of a term, 1 where it has none."""
        sizes = self.terms or {}
        return sizes.get(term.name, sizes.get(term.short, 1.0))

    def divided(self, term: Term) -> Term:
        """Return a term whose residuals are divided by its size."""
        size = self.divisor(term)
        if size == 1:
            return term
        return Term(term.name, tuple(one / exact(size) for one in term.expressions))

    def check_terms(self, terms: Sequence[Term]) -> None:
        """Raise `ConfigError` at the size of a term that the loss has not."""
        names = {name for term in terms for name in (term.name, term.short)}
        for name in self.terms or {}:
            if name not in names:
                raise ConfigError(
                    f"'{name}' is not a term of the loss",
                    ("scale", "terms", name),
                    "one of " + ", ".join(term.name for term in terms),
                    nearest(name, sorted(names)),
                )

    def notes(self) -> list[str]:
        """Return in one sentence what is scaled; nothing where nothing is."""
        parts = [f"{field} = {self.form(field)}" for field in self.fields or {}]
        parts += [f"`{term}` divided by {size:g}" for term, size in (self.terms or {}).items()]
        parts += [f"{name} in steps of {size:g}" for name, size in (self.unknowns or {}).items()]
        return [f"scaled: {', '.join(parts)}"] if parts else []


OPEN = ScaleSpec(fields=None, terms=None, unknowns=None)
UNSCALED = ScaleSpec(fields={}, terms={}, unknowns={})
Scale = Literal["auto", "none"] | ScaleSpec


def spec_of(scale: Scale) -> ScaleSpec:
    """Return the sizes that a file gives."""
    if isinstance(scale, ScaleSpec):
        return scale
    return OPEN if scale == "auto" else UNSCALED
