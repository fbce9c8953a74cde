"""Eigenproblems: the modes of a homogeneous problem, each with its fields and its eigenvalue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import sympy

from pdehvd.errors import ConfigError
from pdehvd.numerics.compiling import compile_numpy
from pdehvd.numerics.derivatives import internal, partial_name
from pdehvd.numerics.expressions import symbol
from pdehvd.problems.block import Source, Term
from pdehvd.problems.geometry import Domain
from pdehvd.problems.integrals import IntegralSource, integral_source
from pdehvd.problems.language import Language
from pdehvd.problems.subdomains import Subdomains
from pdehvd.problems.unknowns import Unknown, UnknownSpec

# What the program adds to the conditions.
NORM, ORTHOGONALITY = "norm", "orthogonality"


def mode_name(name: str, number: int | None) -> str:
    """Return the name of a field, a definition or an eigenvalue in a mode: `u2`.

    Arguments:
        name: as in the texts of the problem
        number: of the mode, from 1; None where there is one mode
    """
    if number is None:
        return name
    return f"{name}_{number}" if name[-1:].isdigit() else f"{name}{number}"


@dataclass(frozen=True)
class Modes:
    """The modes of a problem. Its texts hold for each of them, with fields and eigenvalue of it.

    `eigenvalue` is an unknown. Without one it is None, and there is one mode.
    """

    eigenvalue: str | None = None
    count: int = 1

    @property
    def numbers(self) -> tuple[int | None, ...]:
        """The numbers of the modes, as names have them."""
        return (None,) if self.count == 1 else tuple(range(1, self.count + 1))

    def names(self, names: Sequence[str]) -> list[str]:
        """Return the names of fields or definitions in all modes, mode after mode."""
        return [mode_name(name, number) for number in self.numbers for name in names]

    def unknowns(
        self, specs: Mapping[str, float | UnknownSpec | str]
    ) -> dict[str, float | UnknownSpec | str]:
        """Return the specs of the unknowns with one for each eigenvalue."""
        result: dict[str, float | UnknownSpec | str] = {}
        for name, spec in specs.items():
            if name != self.eigenvalue or not isinstance(spec, UnknownSpec):
                result[name] = spec
                continue
            for number, own in zip(self.numbers, spec.each, strict=True):
                result[mode_name(name, number)] = own
        return result

    def _copy(self, expression: sympy.Expr, number: int | None, language: Language) -> sympy.Expr:
        """Return an expression of the texts' fields and eigenvalue for one mode."""
        if number is None:
            return expression
        own = {
            free: symbol(
                partial_name(
                    partial._replace(field=mode_name(partial.field, number)), language.coordinates
                )
            )
            for free, partial in language.partials(expression).items()
        }
        if self.eigenvalue is not None:
            own[symbol(self.eigenvalue)] = symbol(mode_name(self.eigenvalue, number))
        return expression.xreplace(own)

    def _copies(self, named: Mapping[str, sympy.Expr], language: Language) -> dict[str, sympy.Expr]:
        """Return expressions by name for all modes."""
        return {
            mode_name(name, number): self._copy(expression, number, language)
            for number in self.numbers
            for name, expression in named.items()
        }

    def _term(self, term: Term, language: Language) -> Term:
        """Return a term for all modes. Raises `ConfigError` where it is not homogeneous."""
        for expression in term.expressions:
            _check_homogeneous(expression, term, language)
        copies = [self._copy(e, n, language) for n in self.numbers for e in term.expressions]
        return Term(term.name, tuple(copies))

    def hard(self, hard: Mapping[str, sympy.Expr], language: Language) -> dict[str, sympy.Expr]:
        """Return the `hard` expressions of the fields of all modes.

        Raises `ConfigError` for a form that is not zero where the network is.
        """
        for name, form in hard.items():
            if self.eigenvalue is not None and form.subs(symbol("network"), 0) != 0:
                raise ConfigError(
                    "an eigenproblem is homogeneous, and this is not zero where the network is",
                    ("hard", name),
                    "a factor times network, such as x*(1 - x)*network",
                )
        return self._copies(hard, language)

    def subdomains(self, subdomains: Subdomains) -> Subdomains:
        """Return what names mean where fields and definitions are those of the modes."""
        if self.count == 1:
            return subdomains
        (part,) = subdomains.parts
        base = part.language
        fields = self.names(base.fields)
        language = replace(
            base,
            fields=tuple(fields),
            unknowns=tuple(self._unknown_names(base.unknowns)),
            arguments={
                mode_name(name, number): own
                for number in self.numbers
                for name, own in base.arguments.items()
            },
            definitions=self._copies(base.definitions, base),
        )
        whole = replace(part, language=language, fields={name: name for name in fields})
        return Subdomains((whole,), tuple(self.names(subdomains.names)))

    def _unknown_names(self, unknowns: Sequence[str]) -> list[str]:
        return [
            mode_name(name, number)
            for name in unknowns
            for number in (self.numbers if name == self.eigenvalue else (None,))
        ]

    def of_texts(self, unknowns: Sequence[Unknown]) -> dict[str, float]:
        """Return the initial guesses by the names that texts have; of the first eigenvalue."""
        guesses = {one.name: one.initial for one in unknowns}
        if self.eigenvalue is not None:
            guesses[self.eigenvalue] = guesses[mode_name(self.eigenvalue, self.numbers[0])]
        return guesses

    def parts(
        self, given: Sequence[tuple[str, Source, list[Term]]], language: Language, domain: Domain
    ) -> list[tuple[str, Source, list[Term]]]:
        """Return what holds where, for all modes, and what gives modes size and keeps them apart.

        Arguments:
            given: names, points and terms; the equations come first
            language: of the problem's texts
            domain: of the problem
        """
        if self.eigenvalue is None:
            return list(given)
        found = [
            (name, source, [self._term(term, language) for term in terms])
            for name, source, terms in given
        ]
        for name in (NORM, ORTHOGONALITY):
            if name in (own for own, *_ in given[1:]):
                message = f"'{name}' is what the program adds for an eigenvalue"
                raise ConfigError(message, ("conditions", name), "another name")
        return [*found, (NORM, *self._constraints(given[0][2], language, domain))]

    def _constraints(
        self, equations: Sequence[Term], language: Language, domain: Domain
    ) -> tuple[IntegralSource, list[Term]]:
        """Return the norm of each mode, and the products of two.

        With equations A u + lam B u = 0: <u_i, u_i> = 1 and <u_i, B u_j> = 0. Where B u = w u, both
        products are (int w u v dx) / (int w dx), summed over the fields; else the norm has w = 1.
        """
        d = len(domain.names)
        source = integral_source(domain, range(d), np.zeros((1, d)))
        moved = [
            sympy.diff(expression, symbol(self.eigenvalue or ""))
            for term in equations
            for expression in term.expressions
        ]
        weights = _weights([one for one in moved if one != 0], language)
        norm = weights or dict.fromkeys(map(symbol, language.fields), sympy.S.One)
        share = symbol(internal("quadrature")) / _total(norm, source, language)

        def product(
            left: int | None, right: int | None, of: Mapping[sympy.Symbol, sympy.Expr]
        ) -> sympy.Expr:
            pairs = [(self._copy(u, left, language), b) for u, b in of.items()]
            return share * sympy.Add(*(u * self._copy(b, right, language) for u, b in pairs))

        own = {u: factor * u for u, factor in norm.items()}
        part = sympy.Rational(1, source.points_per_item)
        norms = [product(number, number, own) - part for number in self.numbers]
        terms = [Term(f"condition/{NORM}", tuple(norms))]
        alone = len(moved) == len(language.fields) == 1
        across = own if weights else {symbol(language.fields[0]): moved[0]} if alone else {}
        if across and self.count > 1:
            pairs = combinations(self.numbers, 2)
            products = tuple(product(one, other, across) for one, other in pairs)
            terms.append(Term(f"condition/{ORTHOGONALITY}", products))
        return source, terms


def modes_of(
    unknowns: Mapping[str, float | UnknownSpec | str], domain: Domain, subdomains: Sequence[str]
) -> Modes:
    """Return the modes of a problem with these unknowns.

    Raises `ConfigError` at a second eigenvalue, and where it would be a function.
    """
    found = {
        n: one for n, one in unknowns.items() if isinstance(one, UnknownSpec) and one.eigenvalue
    }
    if not found:
        return Modes()
    name, *others = found
    if others:
        raise ConfigError(
            "a second eigenvalue", ("unknowns", others[0]), f"the modes of '{name}' only"
        )
    if domain.declared:
        message = f"an eigenvalue is a number, and would depend on {domain.declared[0]}"
        raise ConfigError(message, ("unknowns", name), "no parameters")
    if subdomains:
        message = "eigenvalues of problems with subdomains are not supported"
        raise ConfigError(message, ("unknowns", name), "coefficients such as where(x < 0.5, 1, 2)")
    return Modes(name, found[name].count)


def _weights(moved: Sequence[sympy.Expr], language: Language) -> dict[sympy.Symbol, sympy.Expr]:
    """Return w of each field where an eigenvalue multiplies w u, each field once; else nothing."""
    found: dict[sympy.Symbol, sympy.Expr] = {}
    for expression in moved:
        partials = language.partials(expression)
        if len(partials) != 1:
            return {}
        ((name, partial),) = partials.items()
        weight = sympy.diff(expression, name)
        if any(partial.orders) or name in found or language.partials(weight):
            return {}
        found[name] = weight
    return found


def _total(
    weights: Mapping[sympy.Symbol, sympy.Expr], source: IntegralSource, language: Language
) -> float:
    """Return the mean over fields of int w dx, with its sign; the volume where that is open."""
    volume = float(source.weights.sum())
    names = {free.name for weight in weights.values() for free in weight.free_symbols}
    if names & set(language.unknowns):
        return volume
    columns = dict(zip(language.coordinates, source.x[0].T, strict=True))
    values = compile_numpy(list(weights.values()), language.coordinates)(columns)
    total = sum(float(np.sum(source.weights[0] * value)) for value in values) / len(weights)
    return total if np.isfinite(total) and total else volume


def _check_homogeneous(expression: sympy.Expr, term: Term, language: Language) -> None:
    """Raise `ConfigError` at a residual that is linear, and not zero where all fields are."""
    partials = list(language.partials(expression))
    rest = expression.xreplace(dict.fromkeys(partials, sympy.S.Zero))
    slopes = [sympy.diff(expression, one) for one in partials]
    if rest == 0 or any(language.partials(slope) for slope in slopes):
        return
    section, _, name = term.name.partition("/")
    raise ConfigError(
        "an eigenproblem is homogeneous, and this is not zero where all fields are zero",
        ("equations" if section == "equation" else "conditions", name),
        "a value of 0; the size of a mode is set by its norm",
    )
