"""Unknowns of an inverse problem: numbers that are trained with the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sympy

from pdehvd.errors import ConfigError, unknown, within
from pdehvd.numerics.expressions import parse_number
from pdehvd.spec import Spec


class UnknownSpec(Spec):
    """A number to be identified; `positive` trains its logarithm."""

    initial: str | int | float
    positive: bool = False


@dataclass(frozen=True)
class Unknown:
    """A number to be identified, with its initial guess.

    Trained is its logarithm where it is positive, else the number divided by its size.
    """

    name: str
    initial: float
    positive: bool
    size: float = 1.0


def build_unknowns(
    specs: Mapping[str, float | UnknownSpec | str],
    constants: Mapping[str, float],
    sizes: Mapping[str, float],
) -> tuple[Unknown, ...]:
    """Return the unknowns with their sizes; initial guesses may use constants.

    Raises `ConfigError` whose path starts with `unknowns` or `scale`.
    """
    for name in sizes:
        where = ("scale", "unknowns", name)
        if name not in specs:
            raise unknown(name, "an unknown", list(specs), where)
        spec = specs[name]
        if isinstance(spec, UnknownSpec) and spec.positive:
            message = f"{name} is positive, so its logarithm is trained, which has no unit"
            raise ConfigError(message, where, "no size of it")
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
        result.append(Unknown(name, initial, full.positive, sizes.get(name, 1.0)))
    return tuple(result)


def check_used(unknowns: Sequence[Unknown], expressions: Iterable[sympy.Expr]) -> None:
    """Raise `ConfigError` at an unknown that none of the expressions contains."""
    used = {symbol.name for held in expressions for symbol in held.free_symbols}
    for one in unknowns:
        if one.name not in used:
            raise ConfigError(
                f"'{one.name}' occurs in no equation and no condition",
                ("unknowns", one.name),
                f"an equation with {one.name}, or no such unknown",
            )
