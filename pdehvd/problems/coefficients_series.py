"""Positive fields from the eigenfunctions of an exponential covariance."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Literal

import numpy as np
from pydantic import Field

from pdehvd.problems.coefficients_base import CoefficientSpec, Family, Interval, Positive
from pdehvd.problems.coefficients_random import Draws
from pdehvd.spec import register


def covariance_roots(length: float, count: int) -> np.ndarray:
    """Return the first roots a [count] > 0 of (l^2 a^2 - 1) sin a = 2 l a cos a.

    They are the frequencies of the eigenfunctions l a cos(a x) + sin(a x) of the covariance
    exp(-|x - y| / l) on [0, 1]. The equation says a + 2 atan(l a) = k pi, k = 1, 2, ..., whose
    left side is increasing and concave: Newton's method from (k - 1) pi ascends to the root.
    """
    multiples = np.pi * np.arange(1, count + 1)
    a = multiples - np.pi
    for _ in range(100):
        slope = 1 + 2 * length / (1 + (length * a) ** 2)
        a += (multiples - a - 2 * np.arctan(length * a)) / slope
    return a


class KarhunenLoeve(Family):
    """nu = exp(sum_i omega_i lambda_i eta_i(x) eta_i(y) ...), omega_i uniform; latent: omega."""

    positive = True

    def __init__(
        self,
        places: tuple[int, ...],
        length: float,
        modes: int,
        interval: tuple[float, float],
        random: Draws,
    ) -> None:
        super().__init__(places, "karhunen_loeve")
        self.length = length
        self.interval = interval
        self.random = random
        self.roots = covariance_roots(length, modes)

    def latent(self, indices: np.ndarray) -> np.ndarray:
        """Return omega [B, modes]."""
        low, high = self.interval
        return low + (high - low) * self.random.uniform(np.asarray(indices), len(self.roots))

    def _functions(self, axis: np.ndarray) -> np.ndarray:
        """Return eta_i [n, modes] with the interval rescaled to [0, 1]."""
        phase = np.outer((axis - axis[0]) / (axis[-1] - axis[0]), self.roots)
        return self.length * self.roots * np.cos(phase) + np.sin(phase)

    def _values(self, indices: np.ndarray, axes: Sequence[np.ndarray]) -> np.ndarray:
        weights = self.latent(indices) / (1 + (self.length * self.roots) ** 2)
        first, *others = (self._functions(axis) for axis in axes)
        rest = reduce(_row_products, others, np.ones((1, len(self.roots))))
        # One product of matrices a sample, so that its rounding does not depend on the batch.
        values = (weights[:, None] * first) @ rest.T
        with np.errstate(over="ignore", under="ignore"):
            np.exp(values, out=values)
        result: np.ndarray = values.reshape(len(indices), *(len(axis) for axis in axes))
        return result


def _row_products(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the products of all rows of [N, m] with all rows of [M, m]: [N M, m]."""
    values: np.ndarray = (first[:, None] * second).reshape(-1, first.shape[1])
    return values


@register("coefficient")
class KarhunenLoeveSpec(CoefficientSpec):
    """log nu = sum_i omega_i lambda_i eta_i(x) eta_i(y) ..., the coordinates rescaled to [0, 1].

    eta_i(x) = l a_i cos(a_i x) + sin(a_i x), lambda_i = 1 / (1 + l^2 a_i^2), a_i the roots of
    (l^2 a^2 - 1) sin a = 2 l a cos a with the correlation length l. Balu et al. 2021, arXiv
    2104.14538, has l = 1/2, four modes and omega in [-3, 3]^4.
    """

    name: Literal["karhunen_loeve"] = "karhunen_loeve"
    modes: int = Field(4, ge=1, le=10_000, description="terms of the sum")
    correlation_length: Positive = Field(0.5, description="in units of the interval")
    range: Interval = Field((-3.0, 3.0), description="of each omega_i, [low, high]")
    draws: Literal["uniform", "sobol"] = Field(
        "uniform", description="independent omega, or a scrambled Sobol sequence"
    )

    def build(self, coordinates: Sequence[str], seed: int, stream: int) -> KarhunenLoeve:
        """Return the family; raises ConfigError for unknown coordinates."""
        random = self.random(seed, stream, self.draws == "sobol")
        places = self.places(coordinates, least=1)
        return KarhunenLoeve(places, self.correlation_length, self.modes, self.range, random)
