"""Unknowns of an inverse problem: numbers that are trained with the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sympy

from pdehvd.errors import ConfigError, within
from pdehvd.numerics.expressions import parse_number
from pdehvd.spec import Spec


class UnknownSpec(Spec):
    """A number to be identified; `positive` trains its logarithm."""

    initial: str | int | float
    positive: bool = False


@dataclass(frozen=True)
class Unknown:
    """A number to be identified, with its initial guess."""

    name: str
    initial: float
    positive: bool


def build_unknowns(
    specs: Mapping[str, float | UnknownSpec | str], constants: Mapping[str, float]
) -> tuple[Unknown, ...]:
    """Return the unknowns; initial guesses may use constants.

    Raises `ConfigError` whose path starts with `unknowns`.
    """
    result = []
    for name, spec in specs.items():
        full = spec if isinstance(spec, UnknownSpec) else UnknownSpec(initial=spec)
        with within("unknowns", name):
            initial = parse_number(full.initial, constants)
        if full.positive and not initial > 0:
            raise ConfigError(
                f"a positive unknown starts at {initial}",
                ("unknowns", name),
                "a number above 0",
            )
        result.append(Unknown(name, initial, full.positive))
    return tuple(result)


def check_used(unknowns: Sequence[Unknown], expressions: Iterable[sympy.Expr]) -> None:
    """Raise `ConfigError` at an unknown that none of the expressions contains."""
    used = {symbol.name for one in expressions for symbol in one.free_symbols}
    for unknown in unknowns:
        if unknown.name not in used:
            raise ConfigError(
                f"'{unknown.name}' occurs in no equation and no condition",
                ("unknowns", unknown.name),
                f"an equation with {unknown.name}, or no such unknown",
            )
