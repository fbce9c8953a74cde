"""Distributions of input fields, the `coefficient` section: its public face and simple members."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from pdehvd.errors import within
from pdehvd.numerics.expressions import check_names, compile_numpy, parse, symbol
from pdehvd.problems.coefficients_base import CoefficientSpec, Family, Interval, Number
from pdehvd.problems.coefficients_fields import (
    GaussianField,
    GaussianFieldSpec,
    TwoPhase,
    TwoPhaseSpec,
)
from pdehvd.problems.coefficients_random import Draws
from pdehvd.problems.coefficients_series import KarhunenLoeve, KarhunenLoeveSpec
from pdehvd.problems.text import Text
from pdehvd.spec import register

__all__ = [
    "CoefficientSpec",
    "Constant",
    "ConstantSpec",
    "Family",
    "Formula",
    "FormulaSpec",
    "GaussianField",
    "GaussianFieldSpec",
    "KarhunenLoeve",
    "KarhunenLoeveSpec",
    "TwoPhase",
    "TwoPhaseSpec",
]

Function = Callable[[Mapping[str, ArrayLike]], list[np.ndarray]]


class Constant(Family):
    """The same number everywhere, in every sample."""

    def __init__(self, places: tuple[int, ...], value: float) -> None:
        super().__init__(places, "constant")
        self.value = value
        self.positive = value > 0

    def _values(self, indices: np.ndarray, axes: Sequence[np.ndarray]) -> np.ndarray:
        return np.full((len(indices), *(len(axis) for axis in axes)), self.value)


@register("coefficient")
class ConstantSpec(CoefficientSpec):
    """The same number everywhere, in every sample."""

    name: Literal["constant"] = "constant"
    value: Number = Field(1.0, description="a number or an expression such as 0.01/pi")

    def build(self, coordinates: Sequence[str], seed: int, stream: int) -> Constant:
        """Return the family; raises ConfigError for unknown coordinates."""
        return Constant(self.places(coordinates), self.value)


class Formula(Family):
    """An expression of coordinates and of numbers that each sample draws; latent: the numbers."""

    def __init__(
        self,
        places: tuple[int, ...],
        names: Sequence[str],
        text: str | int | float,
        parameters: Mapping[str, tuple[float, float]],
        random: Draws,
    ) -> None:
        super().__init__(places, str(text))
        self.names = tuple(names)
        self.parameters = dict(parameters)
        self.random = random
        expression = parse(text, {name: symbol(name) for name in (*names, *parameters)})
        self.function: Function = compile_numpy([expression], [*self.names, *self.parameters])
        # What SymPy can prove, as of exp(a*x); None says that it cannot.
        self.positive = expression.is_positive is True

    def latent(self, indices: np.ndarray) -> np.ndarray | None:
        """Return the parameters [B, m] in their order, None without any."""
        if not self.parameters:
            return None
        low, high = np.array(list(self.parameters.values())).T
        values: np.ndarray | None = low + (high - low) * self.random.uniform(
            np.asarray(indices), len(low)
        )
        return values

    def _values(self, indices: np.ndarray, axes: Sequence[np.ndarray]) -> np.ndarray:
        grid = np.meshgrid(*axes, indexing="ij", sparse=True) if axes else []
        inputs = dict(zip(self.names, grid, strict=True))
        numbers = self.latent(indices)
        if numbers is not None:
            columns = numbers.T.reshape(-1, len(indices), *[1] * len(axes))
            inputs |= dict(zip(self.parameters, columns, strict=True))
        values = self.function(inputs)[0]
        return np.array(np.broadcast_to(values, (len(indices), *(len(axis) for axis in axes))))


@register("coefficient")
class FormulaSpec(CoefficientSpec):
    """An expression of the coordinates and of parameters, uniform in their intervals."""

    name: Literal["formula"] = "formula"
    value: Text = Field(description="such as exp(a*sin(pi*x))")
    parameters: dict[str, Interval] = Field({}, description="name: [low, high]")
    draws: Literal["uniform", "sobol"] = Field(
        "uniform", description="independent parameters, or a scrambled Sobol sequence"
    )

    def build(self, coordinates: Sequence[str], seed: int, stream: int) -> Formula:
        """Return the family; raises ConfigError for names without or with two meanings."""
        with within("parameters"):
            check_names((), coordinates, self.parameters)
        places = self.places(coordinates)
        names = [coordinates[place] for place in places]
        random = self.random(seed, stream, self.draws == "sobol")
        with within("value"):
            return Formula(places, names, self.value, self.parameters, random)
