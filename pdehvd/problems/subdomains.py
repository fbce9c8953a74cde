"""Subdomains: which fields live where, and what the names of a problem mean in each part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated

import numpy as np
import sympy
from pydantic import BeforeValidator

from pdehvd.errors import ConfigError, Path, unknown
from pdehvd.numerics.expressions import exact
from pdehvd.numerics.functions import Where
from pdehvd.problems.block import Term
from pdehvd.problems.language import Language
from pdehvd.problems.subdomain import Place, SubdomainSpec
from pdehvd.problems.text import Entries


def _as_spec(value: object) -> object:
    """Return a text as the subdomain that it marks out."""
    if not isinstance(value, (str, Mapping, SubdomainSpec)):
        raise ConfigError(f"got {value!r}", (), "limits such as 'x < 0.5', a shape, or 'rest'")
    return {"where": value} if isinstance(value, str) else value


Subdomain = Annotated[
    SubdomainSpec, BeforeValidator(_as_spec, json_schema_input_type=str | SubdomainSpec)
]


def part_field(name: str, subdomain: str) -> str:
    """Return the name of a field in a subdomain: `u_steel`."""
    return f"{name}_{subdomain}"


@dataclass(frozen=True)
class Part:
    """A subdomain: its name, what names mean there, and where it lies (None: everywhere).

    `fields` are those that live there, with their names among the network's outputs.
    """

    name: str
    language: Language
    fields: Mapping[str, str] = field(default_factory=dict)
    place: Place | None = None

    @property
    def versions(self) -> tuple[str, ...]:
        """The names of its own versions of fields among the network's outputs."""
        return tuple(raw for raw in self.fields.values() if raw in self.language.hidden)

    def facing(self, other: Part) -> Language:
        """Return what names mean on its boundary with another part, whose versions have names."""
        absent = {n: why for n, why in self.language.absent.items() if n not in other.versions}
        return replace(self.language, absent=absent)

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Return which points [N, D] lie in it or on its boundary."""
        if self.place is None:
            return np.ones(len(x), dtype=bool)
        return self.place.contains(x)


@dataclass(frozen=True)
class Subdomains:
    """The parts of a domain, each with its fields; without subdomains the domain is the one part.

    Outside conditions and equations of its own, a name stands for that of the first part that
    holds the point: u = where(part 1, u_1, where(part 2, u_2, ...)). `names` are those of fields
    and definitions, in the order of the file.
    """

    parts: tuple[Part, ...]
    names: tuple[str, ...]

    @cached_property
    def common(self) -> Language:
        """What names mean all over the domain, without fields that do not live everywhere."""
        return _joined(self.parts, self.names)

    @cached_property
    def language(self) -> Language:
        """What names mean all over the domain; NaN where a field does not live."""
        return _joined(self.parts, self.names, sympy.nan)

    def _first(self, x: np.ndarray) -> np.ndarray:
        """Return the number of the first part that holds each of the points [N, D], [N]."""
        holds = np.stack([part.contains(x) for part in self.parts])
        numbers: np.ndarray = holds.argmax(axis=0)
        return numbers

    def at(self, x: np.ndarray, least: float = 0.0) -> Language:
        """Return what names mean at points [N, D]: of the parts that hold more than a share."""
        if len(self.parts) == 1:
            return self.parts[0].language
        holds = np.stack([part.contains(x) for part in self.parts])
        everywhere = [part for part, own in zip(self.parts, holds, strict=True) if own.all()]
        if len(everywhere) > 1:
            return _between(everywhere, self.names)
        if everywhere:
            return everywhere[0].language
        first = holds.argmax(axis=0)
        shares = [float((first == number).mean()) for number in range(len(self.parts))]
        touched = [p for p, share in zip(self.parts, shares, strict=True) if share > least]
        return _joined(touched, self.names)

    def equation(self, text: Entries, path: Path) -> tuple[sympy.Expr, ...]:
        """Return the residuals of an equation, one for each part in which it holds, 0 elsewhere.

        It is a text, for all parts that have its fields, or a text for each of some parts.
        Raises `ConfigError` at `path`.
        """
        if isinstance(text, Mapping):
            self.check_named(text, path)
        given = text if isinstance(text, Mapping) else self._everywhere(text, path)
        residuals = []
        for name, own in given.items():
            place = (*path, name) if isinstance(text, Mapping) else path
            part = self.named(name, place)
            residual = part.language.residual(own, place)
            pairs = [(p, residual if p is part else sympy.S.Zero) for p in self.parts]
            residuals.append(_chosen(pairs))
        return tuple(residuals)

    def _everywhere(self, text: str | float, path: Path) -> dict[str, str | float]:
        found = {part.name: text for part in self.parts if not part.language.lacking(text)}
        if not found:
            lacking = [name for part in self.parts for name in part.language.lacking(text)]
            raise ConfigError(
                f"no subdomain has all its fields: {', '.join(dict.fromkeys(lacking))}",
                path,
                "a text for each subdomain, such as {" + self.parts[0].name + ": ...}",
            )
        return found

    def check_equations(self, terms: Sequence[Term]) -> None:
        """Raise `ConfigError` at a field of a subdomain that no equation contains."""
        partials = [self.language.partials(e) for term in terms for e in term.expressions]
        held = {partial.field for found in partials for partial in found.values()}
        for part in self.parts if self.parts[0].place else ():
            for name, own in part.fields.items():
                if own not in held:
                    message = f"no equation in {part.name} contains {name}"
                    expected = f"an equation for it, or {part.name} without it in 'fields'"
                    raise ConfigError(message, ("equations",), expected)

    def check_named(self, texts: Mapping[str, object], path: Path) -> None:
        """Raise `ConfigError` unless the keys of texts are names of subdomains, one at least."""
        if not texts:
            raise ConfigError("it is empty", path, "a text, or a text for each subdomain")
        for name in texts:
            self.named(name, (*path, name))

    def named(self, name: str, path: Path) -> Part:
        """Return a part by its name. Raises `ConfigError` at `path`."""
        names = [part.name for part in self.parts if part.name]
        if name not in names and (names or name):
            if not names:
                raise ConfigError(f"'{name}': this problem has no subdomains", path, "one text")
            raise unknown(name, "a subdomain", names, path)
        return next(part for part in self.parts if part.name == name)

    def partial(self, name: str) -> bool:
        """Return whether a field or a definition has a meaning in some parts only."""
        return not all(self._known(part, name) for part in self.parts)

    def rows(self, x: np.ndarray) -> Language:
        """Return what names mean in rows of measured values [N, D]; 0 where a field does not live.

        On an interface it is the version of the first part that holds the point.
        """
        first = self._first(x)
        touched = [part for number, part in enumerate(self.parts) if (first == number).any()]
        return _joined(touched, self.names, sympy.S.Zero)

    def doubled(self, name: str, x: np.ndarray) -> np.ndarray:
        """Return at which points [N, D] a field has the values of several parts."""
        known = [part.contains(x) for part in self.parts if name in part.fields]
        values: np.ndarray = np.sum(known, axis=0, dtype=int) > 1
        return values

    def siblings(self, raw: str) -> list[str]:
        """Return all versions of the field of which one has this name."""
        names = {name for part in self.parts for name, own in part.fields.items() if own == raw}
        found = [part.fields[name] for part in self.parts for name in names if name in part.fields]
        return list(dict.fromkeys(found))

    def lives(self, name: str, x: np.ndarray) -> np.ndarray:
        """Return at which points [N, D] a field or a definition has a meaning."""
        known = np.array([self._known(part, name) for part in self.parts])
        values: np.ndarray = known[self._first(x)]
        return values

    def _known(self, part: Part, name: str) -> bool:
        return name in part.language.named

    def raw(self, field_: str) -> list[tuple[Part, str]]:
        """Return the parts in which a field lives, with its names among the network's outputs.

        Such a name stands for itself.
        """
        return [
            (part, own)
            for part in self.parts
            for name, own in part.fields.items()
            if field_ in (name, own)
        ]


def _chosen(pairs: Sequence[tuple[Part, sympy.Expr]]) -> sympy.Expr:
    """Return one expression: that of the first part that holds the point."""
    *first, (_, result) = pairs
    for part, one in reversed(first):
        condition = sympy.true if part.place is None else part.place.condition
        result = Where(condition, one, result)
    return result


def _joined(
    parts: Sequence[Part], names: Sequence[str], missing: sympy.Expr | None = None
) -> Language:
    """Return what names mean in several parts together.

    A name that not all of them know is `missing` there; without that, it may not be used.
    """
    if len(parts) == 1:
        return parts[0].language
    languages = [part.language for part in parts]
    first = languages[0]
    constants = {
        name: value
        for name, value in first.constants.items()
        if all(one.constants.get(name) == value for one in languages)
    }
    varying = [name for name in first.constants if name not in constants]
    definitions = {
        name: _chosen([(p, exact(p.language.constants[name])) for p in parts]) for name in varying
    }
    absent = {}
    for name in names:
        known = [part for part in parts if name in part.language.definitions]
        if not known:
            continue
        if len(known) == len(parts) or missing is not None:
            meanings = [(p, p.language.definitions.get(name, missing)) for p in parts]
            definitions[name] = _chosen(meanings)
        else:
            absent[name] = f"it lives in {' and '.join(p.name for p in known)} only"
    for part in parts:
        absent |= {raw: f"it lives in {part.name} only" for raw in part.versions}
    for name in first.absent.keys() & first.hidden:
        absent.setdefault(name, first.absent[name])
    return replace(first, constants=constants, definitions=definitions, absent=absent)


def _between(parts: Sequence[Part], names: Sequence[str]) -> Language:
    """Return what names mean where subdomains meet: those that several have, nothing."""
    common = _joined(parts, names)
    where = " and ".join(part.name for part in parts)
    definitions, absent = {}, {}
    own = {raw for part in parts for raw in part.versions}
    for name in (*common.definitions, *common.absent):
        if name in own:
            continue
        if name in common.hidden:
            absent[name] = common.absent[name]
            continue
        known = [part for part in parts if name in part.language.definitions]
        if len(known) == 1:
            definitions[name] = known[0].language.definitions[name]
        else:
            absent[name] = f"it has two values on the boundary of {where} (see 'between')"
    return replace(common, definitions=definitions, absent=absent)
