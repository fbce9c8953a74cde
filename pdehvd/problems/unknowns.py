"""Unknowns of an inverse problem: numbers that are trained with the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from pydantic import Field, model_validator

from pdehvd.errors import ConfigError, counted, unknown, within
from pdehvd.numerics.expressions import parse_number
from pdehvd.spec import Spec

# A float, a NumPy array or a tensor.
Number = Any


class UnknownSpec(Spec):
    """A number to be identified; `positive` trains its logarithm.

    An eigenvalue of a homogeneous problem has a number of modes, whose initial guesses are found
    before training where none are given.
    """

    initial: str | int | float | list[str | int | float] | None = Field(
        default=None,
        description="initial guess; of an eigenvalue one for each mode, null: found by itself",
    )
    positive: bool = Field(default=False, description="it is above 0, and its logarithm is trained")
    eigenvalue: bool = Field(
        default=False, description="it is an eigenvalue: modes have a norm, and are orthogonal"
    )
    modes: int | None = Field(
        default=None, ge=1, le=20, description="number of modes of an eigenvalue; null: one"
    )
    above: float | None = Field(
        default=None, description="only eigenvalues above it are looked for; null: from the lowest"
    )
    within: float | list[float] | None = Field(
        default=None,
        description="it stays so near its initial guess; of an eigenvalue one for each mode",
    )

    @model_validator(mode="after")
    def _guessed(self) -> UnknownSpec:
        if not self.eigenvalue:
            for key in ("modes", "above"):
                if getattr(self, key) is not None:
                    raise ConfigError(f"'{key}' of no eigenvalue", (key,), "'eigenvalue: true'")
            if self.initial is None:
                raise ConfigError("no initial guess is given", ("initial",), "a number")
        if self.above is not None and self.initial is not None:
            raise ConfigError(
                "'above' is for eigenvalues that are estimated, and 'initial' is given",
                ("above",),
                "one of both",
            )
        return self._checked_lists()

    def _checked_lists(self) -> UnknownSpec:
        """Raise `ConfigError` where a list has another length than there are modes."""
        for key, values in (("initial", self._guesses), ("within", self._distances)):
            if isinstance(getattr(self, key), list) and not self.eigenvalue:
                raise ConfigError(f"'{key}' is a list", (key,), "a number")
            if len(values) != self.count:
                found = f"{counted(len(values), 'value')} for {counted(self.count, 'mode')}"
                raise ConfigError(found, (key,), "one for each")
        for distance in self._distances:
            if distance is not None and not distance > 0:
                raise ConfigError(f"got {distance}", ("within",), "distances above 0")
        if self.within is not None and (self.positive or self.initial is None):
            raise ConfigError(
                "'within' is a distance from 'initial', of a number that is not 'positive'",
                ("within",),
                "'initial', and no 'positive'",
            )
        return self

    @property
    def count(self) -> int:
        """The number of modes of an eigenvalue."""
        return self.modes or 1

    @property
    def each(self) -> list[UnknownSpec]:
        """The specs of single numbers, one for each mode; guesses that are not known are 1."""
        return [
            UnknownSpec(
                initial=guess, positive=self.positive, eigenvalue=self.eigenvalue, within=distance
            )
            for guess, distance in zip(self._guesses, self._distances, strict=True)
        ]

    @property
    def _guesses(self) -> list[str | int | float]:
        if self.initial is None:
            return [1.0] * self.count
        return self.initial if isinstance(self.initial, list) else [self.initial]

    @property
    def _distances(self) -> Sequence[float | None]:
        return self.within if isinstance(self.within, list) else [self.within] * self.count


@dataclass(frozen=True)
class Unknown:
    """A number to be identified, with its initial guess.

    Trained is its logarithm where it is positive, a number r with initial + within sin(r) where it
    must stay within some distance of its guess, else the number divided by its size. The guess of
    an eigenvalue may be as good as the answer.
    """

    name: str
    initial: float
    positive: bool
    size: float = 1.0
    eigenvalue: bool = False
    within: float | None = None

    @property
    def unsized(self) -> bool:
        """Whether steps of an optimizer suit what is trained, whatever the size of the number."""
        return self.positive or self.within is not None

    @property
    def start(self) -> float:
        """What is trained, at the start."""
        if self.within is not None:
            return 0.0
        return float(np.log(self.initial)) if self.positive else self.initial / self.size

    def value(
        self, trained: Number, exp: Callable[[Number], Number], sin: Callable[[Number], Number]
    ) -> Number:
        """Return the number.

        Arguments:
            trained: what is trained in its place
            exp: the exponential of such a number
            sin: the sine of such a number
        """
        if self.within is not None:
            return self.initial + self.within * sin(trained)
        return exp(trained) if self.positive else trained * self.size

    def slope(self, trained: float) -> float:
        """Return the derivative of the number by what is trained."""
        if self.within is not None:
            return self.within * float(np.cos(trained))
        return float(np.exp(trained)) if self.positive else self.size


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
        (full,) = full.each
        with within("unknowns", name):
            initial = parse_number(full.initial, constants)
        if full.positive and not initial > 0:
            raise ConfigError(
                f"a positive unknown starts at {initial}",
                ("unknowns", name),
                "a number above 0",
            )
        size = sizes.get(name, 1.0)
        distance = full.within if isinstance(full.within, float) else None
        result.append(Unknown(name, initial, full.positive, size, full.eigenvalue, distance))
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
