"""Gaussian random fields by their spectrum, and mixtures of two phases cut from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator
from scipy.special import ndtri

from pdehvd.errors import ConfigError
from pdehvd.problems.coefficients_base import CoefficientSpec, Family, Interval, Positive
from pdehvd.problems.coefficients_random import Draws
from pdehvd.spec import register

Boundary = Literal["neumann", "dirichlet", "periodic"]


@dataclass(frozen=True)
class Spectrum:
    """Which modes a field has, and which covariance; without a smoothness, squared exponential.

    Along an interval of length L the modes are sqrt(2) cos(pi h t) or sqrt(2) sin(pi h t) and, for
    h = 0, 1, with t in [0, 1] and h half waves: orthonormal, so that variances add.
    """

    boundary: Boundary
    length_scale: float
    smoothness: float | None
    modes: int

    def waves(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the half waves h [K] of the modes along a coordinate, and which are sines."""
        number = np.arange(self.modes)
        if self.boundary == "periodic":
            # Cosines come with their sines: of an even number of modes the last has none.
            number = number[: self.modes - 1 + self.modes % 2]
            return 2 * ((number + 1) // 2), (number > 0) & (number % 2 == 0)
        sines = self.boundary == "dirichlet"
        return number + sines, np.full(self.modes, sines)

    def functions(self, axis: np.ndarray) -> np.ndarray:
        """Return the modes [n, K] at the nodes of an axis."""
        halves, sines = self.waves()
        phase = np.outer((axis - axis[0]) / (axis[-1] - axis[0]), np.pi * halves)
        phase -= np.where(sines, np.pi / 2, 0)
        return np.cos(phase) * np.where(halves == 0, 1, math.sqrt(2))


@lru_cache(maxsize=16)
def _deviations(spectrum: Spectrum, lengths: tuple[float, ...]) -> np.ndarray:
    """Return the deviation [K, ...] of each mode over a box; their squares add up to one."""
    squares = [(np.pi * spectrum.waves()[0] / length) ** 2 for length in lengths]
    wave_number = reduce(np.add.outer, squares)
    if spectrum.smoothness is None:
        logarithm = -wave_number * spectrum.length_scale**2 / 2
    else:
        exponent = spectrum.smoothness + len(lengths) / 2
        scale = 2 * spectrum.smoothness / spectrum.length_scale**2
        logarithm = -exponent * np.log(scale + wave_number)
    density = np.exp(logarithm - logarithm.max())
    result = np.sqrt(density / density.sum())
    result.flags.writeable = False
    values: np.ndarray = result
    return values


@dataclass(frozen=True)
class Series:
    """A random field of mean zero whose variance is one on average over the box."""

    spectrum: Spectrum
    random: Draws

    def values(self, indices: np.ndarray, axes: Sequence[np.ndarray]) -> np.ndarray:
        """Return samples [B, *n]."""
        sizes = self._deviations(axes)
        numbers = self.random.normal(indices, sizes.size)
        return _expanded(numbers.reshape(-1, *sizes.shape) * sizes, self._functions(axes))

    def deviation(self, axes: Sequence[np.ndarray]) -> np.ndarray:
        """Return the standard deviation [1, *n] at every node."""
        squares = [functions**2 for functions in self._functions(axes)]
        values: np.ndarray = np.sqrt(_expanded(self._deviations(axes)[None] ** 2, squares))
        return values

    def _functions(self, axes: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [self.spectrum.functions(axis) for axis in axes]

    def _deviations(self, axes: Sequence[np.ndarray]) -> np.ndarray:
        return _deviations(self.spectrum, tuple(float(axis[-1] - axis[0]) for axis in axes))


def _expanded(coefficients: np.ndarray, functions: Sequence[np.ndarray]) -> np.ndarray:
    """Return sum_kl.. c_kl.. f_k(x) f_l(y) .. [B, *n] of c [B, K, L, ..] and f [n, K].

    Each product turns the first axis into the last: after all, they are in order. There is one
    product of matrices a sample, so that its rounding does not depend on the batch.
    """
    count, result = len(coefficients), coefficients
    for one in functions:
        result = result.reshape(count, one.shape[1], -1).transpose(0, 2, 1) @ one.T
    return result.reshape(count, *(len(one) for one in functions))


class GaussianField(Family):
    """g = mean + deviation * a series of random modes, or exp(g)."""

    def __init__(
        self, places: tuple[int, ...], series: Series, mean: float, deviation: float, exp: bool
    ) -> None:
        super().__init__(places, "gaussian_field")
        self.series = series
        self.mean = mean
        self.deviation = deviation
        self.positive = exp

    def _values(self, indices: np.ndarray, axes: Sequence[np.ndarray]) -> np.ndarray:
        values = self.series.values(indices, axes)
        values *= self.deviation
        values += self.mean
        with np.errstate(over="ignore", under="ignore"):
            return np.exp(values, out=values) if self.positive else values


class TwoPhase(Family):
    """The first of two values wherever a Gaussian field is below its quantile, else the second."""

    def __init__(
        self,
        places: tuple[int, ...],
        series: Series,
        values: tuple[float, float],
        fraction: float,
    ) -> None:
        super().__init__(places, "two_phase")
        self.series = series
        self.values = values
        self.quantile = float(ndtri(fraction))
        self.positive = values[0] > 0

    def _values(self, indices: np.ndarray, axes: Sequence[np.ndarray]) -> np.ndarray:
        field = self.series.values(indices, axes)
        return np.where(field < self.quantile * self.series.deviation(axes), *self.values)


class _SeriesSpec(CoefficientSpec):
    """The keys of a Gaussian random field."""

    spectrum: Literal["matern", "squared_exponential"] = "matern"
    length_scale: Positive = Field(0.2, description="of the correlation, in units of coordinates")
    smoothness: Positive | None = Field(
        None, description="of matern: a field is differentiable less often; null: 1.5"
    )
    boundary: Boundary = Field(
        "neumann", description="cosines (zero slope), sines (zero) or both (periodic)"
    )
    modes: int = Field(64, ge=1, le=10_000, description="at most, along each coordinate")

    @model_validator(mode="after")
    def _smoothness_of_matern(self) -> _SeriesSpec:
        if self.spectrum != "matern" and self.smoothness is not None:
            raise ConfigError(
                f"'smoothness' does not go with {self.spectrum}", ("smoothness",), "matern"
            )
        return self

    def series(self, seed: int, stream: int) -> Series:
        """Return the field of unit variance for a stream of random numbers."""
        smoothness = (self.smoothness or 1.5) if self.spectrum == "matern" else None
        spectrum = Spectrum(self.boundary, self.length_scale, smoothness, self.modes)
        return Series(spectrum, self.random(seed, stream))


@register("coefficient")
class GaussianFieldSpec(_SeriesSpec):
    """A Gaussian random field g, or the log-normal one exp(g), from modes of random size.

    The variances of the modes of wave number k follow the spectral density of the covariance,
    (2 s / l^2 + k^2)^-(s + d/2) for matern with smoothness s in d coordinates and
    exp(-k^2 l^2 / 2) for squared_exponential (Rasmussen, Williams 2006, section 4.2). All modes
    together have the variance `deviation`^2, on average over the box.
    """

    name: Literal["gaussian_field"] = "gaussian_field"
    transform: Literal["exp", "none"] = "exp"
    mean: float = Field(0.0, description="of g")
    deviation: Positive = Field(1.0, description="of g, root mean square over the box")

    def build(self, coordinates: Sequence[str], seed: int, stream: int) -> GaussianField:
        """Return the family; raises ConfigError for unknown coordinates."""
        places, series = self.places(coordinates, least=1), self.series(seed, stream)
        return GaussianField(places, series, self.mean, self.deviation, self.transform == "exp")


@register("coefficient")
class TwoPhaseSpec(_SeriesSpec):
    """Two materials, divided by a level set of a Gaussian random field.

    The level at a node is the Gaussian quantile of `fraction` for the field's deviation there, so
    each node is of the first material with this probability, at every resolution.
    """

    name: Literal["two_phase"] = "two_phase"
    boundary: Literal["neumann", "periodic"] = Field(
        "neumann", description="of the divided field: zero slope, or periodic"
    )
    values: Interval = Field(description="[low, high] of the two materials")
    fraction: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="expected share of the low value"
    )

    def build(self, coordinates: Sequence[str], seed: int, stream: int) -> TwoPhase:
        """Return the family; raises ConfigError for unknown coordinates."""
        places, series = self.places(coordinates, least=1), self.series(seed, stream)
        return TwoPhase(places, series, self.values, self.fraction)
