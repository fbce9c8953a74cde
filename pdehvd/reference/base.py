"""What a reference solution is, and what the specs of all of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from pydantic import Field

from pdehvd.errors import ConfigError, nearest, within
from pdehvd.numerics.expressions import parse_number
from pdehvd.spec import Spec

Number = float | str


class Reference(ABC):
    """Known values of fields, to compare a network with.

    `fields` names what it knows (perhaps not all fields of the problem); `unknowns` holds the
    true values of the numbers that an inverse problem looks for; `up_to_constant` names fields,
    such as a pressure, that the equations determine only up to a constant.
    """

    fields: tuple[str, ...]
    unknowns: Mapping[str, float]
    up_to_constant: tuple[str, ...]

    def __init__(
        self,
        fields: Sequence[str],
        unknowns: Mapping[str, float],
        up_to_constant: Sequence[str] = (),
    ) -> None:
        self.fields = tuple(fields)
        self.unknowns = dict(unknowns)
        self.up_to_constant = tuple(up_to_constant)

    def __call__(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return the known fields at points [N, D], each float64 [N]; NaN where unknown."""
        values = self.evaluate(np.asarray(points, dtype=np.float64))
        return {name: np.asarray(values[name], dtype=np.float64) for name in self.fields}

    @abstractmethod
    def evaluate(self, points: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return the fields at float64 points [N, D], each [N]."""


class ReferenceSpec(Spec):
    """Base of every `reference:` section."""

    unknowns: dict[str, Number] = Field(
        default={}, description="True values of the unknowns, for the error of an inverse problem."
    )

    def inlined(self, inline: Callable[[Number], Number]) -> ReferenceSpec:
        """Return the spec with `inline` applied to texts of coordinates; most have no such texts.

        Arguments:
            inline: replaces names that the problem defines by what they stand for
        """
        return self

    def values(self, constants: Mapping[str, float]) -> dict[str, float]:
        """Return the true values of the unknowns; they may name the problem's constants."""
        return {
            name: evaluate_number(value, constants, "unknowns", name)
            for name, value in self.unknowns.items()
        }


def evaluate_number(value: Number, constants: Mapping[str, float], *path: str) -> float:
    """Return a number given as one or as an expression of constants.

    Raises ConfigError with `path` when it is neither.
    """
    with within(*path):
        return parse_number(value, constants)


def positive(value: Number, constants: Mapping[str, float], *path: str) -> float:
    """Return a number above zero, else raise ConfigError."""
    result = evaluate_number(value, constants, *path)
    if not result > 0:
        raise ConfigError(f"'{value}' is {result:g}", path, "a number above 0")
    return result


def columns(name: str, kind: str, given: Sequence[str], needed: Sequence[str]) -> list[int]:
    """Return where the names that a reference needs stand among those of the problem.

    Raises ConfigError when one is missing.
    """
    for item in needed:
        if item not in given:
            raise ConfigError(
                f"the reference '{name}' needs the {kind} '{item}'",
                ("name",),
                f"a problem with the {kind}s {', '.join(needed)}",
                nearest(item, given),
            )
    return [list(given).index(item) for item in needed]


def check_times(name: str, times: np.ndarray, end: float = np.inf) -> None:
    """Raise ConfigError when a time lies outside [0, end] by more than rounding."""
    slack = 1e-9 * (1.0 if np.isinf(end) else end)
    if times.size and (times.min() < -slack or times.max() > end + slack):
        raise ConfigError(
            f"'{name}' was evaluated for t from {times.min():g} to {times.max():g}",
            ("problem", "reference"),
            f"t from 0 to {end:g}" if np.isfinite(end) else "t >= 0",
        )
