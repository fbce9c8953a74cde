"""The names that a problem's texts may use, and what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import sympy

from pdehvd.errors import ConfigError, Path, within
from pdehvd.numerics.chain_rule import expand_definitions
from pdehvd.numerics.derivatives import (
    Partial,
    expand_normals,
    field_symbols,
    normal_components,
    normal_names,
    partial_of,
)
from pdehvd.numerics.expressions import parse, symbol
from pdehvd.numerics.functions import exact
from pdehvd.numerics.printing import printed
from pdehvd.numerics.syntax import names_in


@dataclass(frozen=True)
class Language:
    """The names that a problem's texts may use, and what they mean.

    `held` are coordinates with respect to which no derivative is taken, `arguments` the
    coordinates of fields that do not depend on all. `absent` says of names why they have no
    meaning here; the fields of `hidden` are parts of others and not outputs themselves.
    """

    coordinates: tuple[str, ...]
    fields: tuple[str, ...]
    constants: Mapping[str, float]
    unknowns: tuple[str, ...]
    space: tuple[str, ...]
    held: tuple[str, ...] = ()
    arguments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    definitions: Mapping[str, sympy.Expr] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()

    @property
    def named(self) -> tuple[str, ...]:
        """The names that may be differentiated: fields, then definitions."""
        return (*self.fields, *self.definitions)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of fields, then of the definitions that hold fields: what a run predicts."""
        return (*(name for name in self.fields if name not in self.hidden), *self.defined)

    @cached_property
    def defined(self) -> dict[str, sympy.Expr]:
        """The definitions that hold fields."""
        return {name: f for name, f in self.definitions.items() if self.partials(f)}

    def partials(self, expression: sympy.Expr) -> dict[sympy.Symbol, Partial]:
        """Return the symbols in an expression that are fields or derivatives, and of what."""
        found = {
            free: partial_of(free.name, self.fields, self.coordinates)
            for free in expression.free_symbols
        }
        return {free: partial for free, partial in found.items() if partial is not None}

    def meaning(self, name: str) -> sympy.Expr:
        """Return what the name of an output stands for, in fields."""
        return self.definitions.get(name, symbol(name))

    def residual(self, text: str | float, path: Path, normal: bool = False) -> sympy.Expr:
        """Parse an expression of coordinates, fields, definitions, constants and unknowns.

        What comes out holds fields in the place of definitions. With `normal`, n_x, ... are the
        symbols `__normal_x`, ..., and u_n = sum_d n_d u_d. Raises `ConfigError` at `path`.
        """
        names = self._known((*self.coordinates, *self.named))
        with within(*path):
            for name in self.lacking(text):
                raise ConfigError(f"'{name}' cannot be used here: {self.absent[name]}")
            derivatives = field_symbols(text, self.named, self.coordinates, normal=normal)
            self._check_arguments(derivatives)
            names |= derivatives
            if normal:
                names = normal_components(self.space) | names
            expression = parse(text, names, "expression", self.named, self.coordinates, self.space)
            if normal:
                (expression,) = expand_normals([expression], self.named, self.space)
            result = expand_definitions(expression, self.definitions, self.fields, self.coordinates)
            partials = self.partials(result)
            for free, partial in partials.items():
                self._check_held(free.name, partial)
            return result.subs({free: 0 for free, one in partials.items() if self.missing(one)})

    def lacking(self, text: str | float) -> list[str]:
        """Return the names in a text, or in its derivatives, that have no meaning here."""
        if not self.absent:
            return []
        found = []
        for name, _ in names_in(str(text)):
            partial = partial_of(name, (*self.absent, *self.named), self.coordinates)
            base = partial.field if partial else name.removesuffix("_n")
            found += [base] if base in self.absent else []
        return list(dict.fromkeys(found))

    def depends(self, output: str) -> tuple[str, ...]:
        """Return the coordinates that a field or a definition depends on."""
        if output in self.fields:
            return self.arguments.get(output, self.coordinates)
        meaning = self.definitions[output]
        used = {free.name for free in meaning.free_symbols}
        for partial in self.partials(meaning).values():
            used |= set(self.depends(partial.field))
        return tuple(name for name in self.coordinates if name in used)

    def missing(self, partial: Partial) -> list[str]:
        """Return the coordinates of a derivative that its field does not depend on."""
        own = self.depends(partial.field)
        return [name for name in partial.along(self.coordinates) if name not in own]

    def _check_arguments(self, names: Iterable[str]) -> None:
        """Raise `ConfigError` at a derivative with respect to what its field does not depend on."""
        for name in names:
            partial = partial_of(name, self.named, self.coordinates)
            if partial is None or not self.meaning(partial.field).is_Symbol:
                continue
            missing = self.missing(partial)
            if missing:
                own = ", ".join(self.depends(partial.field))
                raise ConfigError(
                    f"'{name}': {partial.field} does not depend on {missing[0]}",
                    (),
                    f"derivatives by {own}, or {missing[0]} in fields.{partial.field}",
                )

    def _check_held(self, name: str, partial: Partial) -> None:
        """Raise `ConfigError` at a derivative with respect to a coordinate of `held`."""
        wrong = [along for along in partial.along(self.coordinates) if along in self.held]
        if wrong:
            raise ConfigError(
                f"'{name}' is a derivative with respect to the parameter {wrong[0]}",
                (),
                f"derivatives by coordinates, or 'derivatives: true' in parameters.{wrong[0]}",
            )

    def normals_in(self, text: str | float) -> list[str]:
        """Return the names such as `u_n` and `n_x` in a text that need an outward normal."""
        others = (*self.coordinates, *self.named, *self.constants, *self.unknowns)
        return normal_names(text, self.named, self.coordinates, others)

    def defining(self, name: str, text: str | float, path: Path) -> Language:
        """Return a language with one more name. Raises `ConfigError` at `path`.

        One that uses a name without a meaning here has none either.
        """
        lacking = self.lacking(text)
        if lacking:
            return replace(self, absent={**self.absent, name: self.absent[lacking[0]]})
        meaning = self.residual(text, path)
        return replace(self, definitions={**self.definitions, name: meaning})

    def inlined(self, text: str | float) -> str | float:
        """Return a text of coordinates without the names of definitions; they may hold no field.

        Raises `ConfigError` where a definition holds one, or the text cannot be read.
        """
        used = {name for name, _ in names_in(str(text))} & set(self.definitions)
        if not used:
            return text
        for name in sorted(used & set(self.defined)):
            raise ConfigError(f"'{name}' holds a field", (), "a function of the coordinates")
        functions = {name: self.definitions[name] for name in used}
        return printed(parse(text, self._known(self.coordinates) | functions))

    def function(self, text: str | float, path: Path, names: Sequence[str]) -> sympy.Expr:
        """Parse an expression of `names`, constants and unknowns. Raises `ConfigError`."""
        with within(*path):
            return parse(text, self._known(names))

    def _known(self, names: Sequence[str]) -> dict[str, sympy.Basic]:
        """Return what names, unknowns and constants stand for in a text."""
        known: dict[str, sympy.Basic] = {name: symbol(name) for name in (*names, *self.unknowns)}
        return known | {name: exact(value) for name, value in self.constants.items()}
