"""Parameters: inputs of the network besides the coordinates, each with its distribution."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from pdehvd.errors import ConfigError, within
from pdehvd.numerics.expressions import parse_number
from pdehvd.problems.data import read_table
from pdehvd.problems.text import Text
from pdehvd.spec import DataFile, Section, Spec, register

# Beyond so many standard deviations a normal distribution is cut off: 6e-5 of it.
CUT = 4.0
Numbers = Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Distribution:
    """Values in [low, high]; `quantile` maps shares [N] in [0, 1] to them, None: it is uniform.

    Those with one `table` are drawn together, a row at a time. With `logarithmic` the network sees
    the logarithm of the values.
    """

    low: float
    high: float
    quantile: Callable[[np.ndarray], np.ndarray] | None = None
    logarithmic: bool = False
    table: str = ""


class DistributionSpec(Spec):
    """The values of a parameter."""

    derivatives: bool = Field(
        False, description="whether equations may hold derivatives with respect to it"
    )

    @abstractmethod
    def build(self, name: str, constants: Numbers) -> Distribution:
        """Return the distribution. Raises `ConfigError` within the section.

        Arguments:
            name: of the parameter
            constants: the numbers that texts may use
        """


Range = Annotated[list[Text], Field(min_length=2, max_length=2, description="[low, high]")]


def _interval(given: list[Text], constants: Numbers) -> tuple[float, float]:
    ends = []
    for index, text in enumerate(given):
        with within("range", index):
            ends.append(parse_number(text, constants))
    low, high = ends
    if not low < high:
        raise ConfigError(
            f"the lower bound {low:g} is not below the upper bound {high:g}",
            ("range",),
            "[low, high]",
        )
    return low, high


@register("distribution")
class UniformParameter(DistributionSpec):
    """Uniform in an interval; `[low, high]` for short."""

    name: Literal["uniform"] = "uniform"
    range: Range

    def build(self, name: str, constants: Numbers) -> Distribution:
        return Distribution(*_interval(self.range, constants))


@register("distribution")
class LogUniform(DistributionSpec):
    """Its logarithm is uniform in an interval, and is what the network sees."""

    name: Literal["log_uniform"] = "log_uniform"
    range: Range

    def build(self, name: str, constants: Numbers) -> Distribution:
        low, high = _interval(self.range, constants)
        if not low > 0:
            raise ConfigError(f"the lower bound is {low:g}", ("range", 0), "a number above 0")
        if self.derivatives:
            raise ConfigError(
                f"the network sees the logarithm of {name}, which has no derivatives here",
                ("derivatives",),
                "the distribution uniform",
            )
        ratio = np.log(high / low)
        return Distribution(
            low, high, lambda share: np.clip(low * np.exp(ratio * share), low, high), True
        )


@register("distribution")
class Normal(DistributionSpec):
    """Normal, cut off at four standard deviations from its mean."""

    name: Literal["normal"] = "normal"
    mean: Text
    deviation: Text = Field(description="the standard deviation")

    def build(self, name: str, constants: Numbers) -> Distribution:
        with within("mean"):
            mean = parse_number(self.mean, constants)
        with within("deviation"):
            deviation = parse_number(self.deviation, constants)
        if not deviation > 0:
            raise ConfigError(f"it is {deviation:g}", ("deviation",), "a number above 0")

        def quantile(share: np.ndarray) -> np.ndarray:
            from scipy.special import ndtr, ndtri  # late: commands that draw nothing need it not

            outside = ndtr(-CUT)
            score = ndtri(outside + (1.0 - 2.0 * outside) * np.asarray(share))
            values: np.ndarray = mean + deviation * np.clip(score, -CUT, CUT)
            return values

        low, high = mean - CUT * deviation, mean + CUT * deviation
        return Distribution(low, high, quantile)


@register("distribution")
class Values(DistributionSpec):
    """One of some numbers, each as often as the others."""

    name: Literal["values"] = "values"
    values: list[Text] = Field(min_length=2)

    def build(self, name: str, constants: Numbers) -> Distribution:
        numbers = []
        for index, text in enumerate(self.values):
            with within("values", index):
                numbers.append(parse_number(text, constants))
        return _listed(np.array(numbers), name, "values")


@register("distribution")
class Column(DistributionSpec):
    """A column of a table, each row as often as the others.

    Parameters of one table are drawn together: they come from one row.
    """

    name: Literal["table"] = "table"
    path: DataFile = Field(description="a CSV, NPZ, HDF5 or NetCDF file")
    column: str | None = Field(None, description="its column; the parameter's name by default")

    def build(self, name: str, constants: Numbers) -> Distribution:
        column = self.column or name
        with within("path"):
            values = read_table(self.path, [column])[column]
        return _listed(values, name, "path", self.path)


def _listed(values: np.ndarray, name: str, key: str, table: str = "") -> Distribution:
    """Return the distribution that takes each of the values [n] equally often."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        raise ConfigError(
            f"all values of {name} are {low:g}", (key,), "two values, or a constant instead"
        )

    def quantile(share: np.ndarray) -> np.ndarray:
        rows = np.minimum((np.asarray(share) * len(values)).astype(int), len(values) - 1)
        picked: np.ndarray = values[rows]
        return picked

    return Distribution(low, high, quantile, table=table)


def _as_mapping(value: object) -> object:
    """Turn the short form `[low, high]` into a mapping."""
    return {"name": "uniform", "range": value} if isinstance(value, list | tuple) else value


ParameterSection = Section(
    "distribution",
    short=_as_mapping,
    short_schema={"type": "array", "minItems": 2, "maxItems": 2},
)
Parameter = Annotated[DistributionSpec, ParameterSection]


def build_parameters(
    specs: Mapping[str, DistributionSpec], constants: Numbers
) -> dict[str, Distribution]:
    """Return the distributions by the names of their parameters.

    Raises `ConfigError` whose path starts with `parameters`.
    """
    result = {}
    for name, spec in specs.items():
        with within("parameters", name):
            result[name] = spec.build(name, constants)
    return result


@dataclass(frozen=True, eq=False)
class Spread:
    """Distributions of some coordinates, by their columns in points within `bounds` [D, 2]."""

    bounds: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    distributions: Mapping[int, Distribution] = field(default_factory=dict)

    @property
    def axes(self) -> list[int]:
        """The columns that are not uniform."""
        return [axis for axis, one in self.distributions.items() if one.quantile is not None]

    def apply(self, x: np.ndarray, axes: Collection[int]) -> None:
        """Turn those columns of x [N, D] that are uniform in their bounds into what they shall be.

        Columns of one table take the rows that the first of them has drawn.
        """
        shares: dict[str, np.ndarray] = {}
        for axis, distribution in self.distributions.items():
            if distribution.quantile is None or axis not in axes:
                continue
            low, high = self.bounds[axis]
            share = np.clip((x[:, axis] - low) / (high - low), 0.0, 1.0)
            if distribution.table:
                share = shares.setdefault(distribution.table, share)
            x[:, axis] = distribution.quantile(share)
