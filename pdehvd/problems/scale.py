"""Scales: the sizes of fields, terms and unknowns, by which a problem is made dimensionless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import sympy
from pydantic import Field

from pdehvd.errors import ConfigError, counted, nearest, unknown
from pdehvd.numerics.derivatives import NETWORK
from pdehvd.numerics.expressions import exact, symbol
from pdehvd.problems.block import Term
from pdehvd.problems.subdomains import Subdomains
from pdehvd.spec import Spec

Size = Annotated[float, Field(gt=0)]


class FieldScale(Spec):
    """A field is offset + size * network."""

    offset: float = 0.0
    size: Size


class ScaleSpec(Spec):
    """Sizes in the units of the file. What is null is found before training."""

    fields: dict[str, Size | FieldScale] | None = Field(
        default=None, description="field: its size, or {offset: 300, size: 700}"
    )
    terms: dict[str, Size | list[Size]] | None = Field(
        default=None,
        description="term of the loss: what its residuals are divided by, or a list of these",
    )
    unknowns: dict[str, Size] | None = Field(
        default=None, description="unknown: the size of the steps in which it is trained"
    )

    @property
    def open(self) -> bool:
        """Whether something is left to be found."""
        return None in (self.fields, self.terms, self.unknowns)

    def completed(
        self,
        fields: Mapping[str, float | FieldScale] | None = None,
        terms: Mapping[str, float | list[float]] | None = None,
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

    def _field_scales(self) -> dict[str, FieldScale]:
        """Return the scales of fields; a number is a size without an offset."""
        return {
            name: given if isinstance(given, FieldScale) else FieldScale(size=given)
            for name, given in (self.fields or {}).items()
        }

    def form(self, field: str) -> str:
        """Return a field as an expression of the network's raw output."""
        one = self._field_scales().get(field)
        if one is None:
            return NETWORK
        return (f"{one.offset:.12g} + " if one.offset else "") + f"{one.size:.12g}*{NETWORK}"

    def hard(self, hard: Mapping[str, sympy.Expr], subdomains: Subdomains) -> dict[str, sympy.Expr]:
        """Return the expressions of fields with scaled outputs. Raises `ConfigError`."""
        result, output = dict(hard), symbol(NETWORK)
        for name, one in self._field_scales().items():
            own = subdomains.raw(name)
            if not own:
                raise unknown(name, "a field", subdomains.names, ("scale", "fields", name))
            scaled = exact(one.offset) + exact(one.size) * output
            for _, raw in own:
                result[raw] = hard.get(raw, output).xreplace({output: scaled})
        return result

    def divisors(self, term: Term) -> tuple[float, ...]:
        """Return the sizes of the expressions of a term, 1 where it has none."""
        sizes = self.terms or {}
        own = sizes.get(term.name, sizes.get(term.short, 1.0))
        return tuple(own) if isinstance(own, list) else (own,) * len(term.expressions)

    def divided(self, term: Term) -> Term:
        """Return a term whose residuals are divided by their sizes."""
        sizes = self.divisors(term)
        if all(size == 1 for size in sizes):
            return term
        pairs = zip(term.expressions, sizes, strict=True)
        return Term(term.name, tuple(one / exact(size) for one, size in pairs))

    def check_terms(self, terms: Sequence[Term]) -> None:
        """Raise `ConfigError` at sizes of a term that the loss has not, or at a wrong number."""
        names = {name: term for term in terms for name in (term.name, term.short)}
        for name, sizes in (self.terms or {}).items():
            place = ("scale", "terms", name)
            if name not in names:
                raise ConfigError(
                    f"'{name}' is not a term of the loss",
                    place,
                    "one of " + ", ".join(term.name for term in terms),
                    nearest(name, sorted(names)),
                )
            count = len(names[name].expressions)
            if isinstance(sizes, list) and len(sizes) != count:
                message = f"{counted(len(sizes), 'size')} for {counted(count, 'residual')}"
                raise ConfigError(message, place, f"a number, or {counted(count, 'number')}")

    def notes(self) -> list[str]:
        """Return in one sentence what is scaled; nothing where nothing is."""
        parts = [f"{field} = {self.form(field)}" for field in self.fields or {}]
        for term, own in (self.terms or {}).items():
            sizes = own if isinstance(own, list) else [own]
            parts.append(f"`{term}` divided by " + " and ".join(f"{size:g}" for size in sizes))
        parts += [f"{name} in steps of {size:g}" for name, size in (self.unknowns or {}).items()]
        return [f"scaled: {', '.join(parts)}"] if parts else []


OPEN = ScaleSpec()
UNSCALED = ScaleSpec(fields={}, terms={}, unknowns={})
Scale = Literal["auto", "none"] | ScaleSpec


def spec_of(scale: Scale) -> ScaleSpec:
    """Return the sizes that a file gives."""
    if isinstance(scale, ScaleSpec):
        return scale
    return OPEN if scale == "auto" else UNSCALED
