"""The Lorenz system, integrated to rounding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from scipy.integrate import solve_ivp

from pdehvd.reference.base import (
    Number,
    Reference,
    ReferenceSpec,
    check_times,
    columns,
    evaluate_number,
    positive,
)
from pdehvd.spec import register


class LorenzReference(Reference):
    """x' = sigma (y - x), y' = x (rho - z) - y, z' = x y - beta z, from `start` until `end`."""

    def __init__(
        self,
        parameters: tuple[float, float, float],
        start: tuple[float, ...],
        end: float,
        unknowns: Mapping[str, float],
    ) -> None:
        super().__init__(("x", "y", "z"), unknowns)
        sigma, rho, beta = parameters
        self.end = end

        def rate(_: float, state: np.ndarray) -> list[float]:
            x, y, z = state
            return [sigma * (y - x), x * (rho - z) - y, x * y - beta * z]

        self.solution = solve_ivp(
            rate, (0.0, end), start, method="DOP853", rtol=1e-13, atol=1e-13, dense_output=True
        ).sol

    def evaluate(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return x, y, z [N] at points [N, 1]."""
        check_times("lorenz", points[:, 0], self.end)
        values = self.solution(np.clip(points[:, 0], 0.0, self.end))
        return dict(zip(self.fields, values, strict=True))


@register("reference")
class Lorenz(ReferenceSpec):
    """The Lorenz system (Lorenz, J. Atmos. Sci. 20, 1963), by DOP853 with dense output."""

    name: Literal["lorenz"] = "lorenz"
    sigma: Number = "sigma"
    rho: Number = "rho"
    beta: Number = "beta"
    start: tuple[Number, Number, Number]
    end: Number

    def build(
        self,
        coordinates: tuple[str, ...],
        fields: tuple[str, ...],
        constants: Mapping[str, float],
    ) -> LorenzReference:
        """Return the reference for the coordinate t and the fields x, y, z."""
        unknowns = self.values(constants)
        known = {**constants, **unknowns}
        columns(self.name, "coordinate", coordinates, ("t",))
        columns(self.name, "field", fields, ("x", "y", "z"))
        parameters = (
            evaluate_number(self.sigma, known, "sigma"),
            evaluate_number(self.rho, known, "rho"),
            evaluate_number(self.beta, known, "beta"),
        )
        start = tuple(evaluate_number(value, known, "start") for value in self.start)
        return LorenzReference(parameters, start, positive(self.end, known, "end"), unknowns)
