"""What every distribution of an input field has: the base of the `coefficient` section."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated
from zlib import crc32

import numpy as np
from pydantic import BeforeValidator, Field

from pdehvd.errors import ConfigError, unknown
from pdehvd.numerics.expressions import parse_number
from pdehvd.problems.coefficients_random import Draws
from pdehvd.spec import Spec


class Family(ABC):
    """Functions of the coordinates, one for each sample; `positive` where all of them are.

    They vary along the coordinates at `places`; `label` names them in errors.
    """

    positive = False

    def __init__(self, places: tuple[int, ...], label: str) -> None:
        self.places = places
        self.label = label

    def sample(self, indices: np.ndarray, axes: Sequence[np.ndarray]) -> np.ndarray:
        """Return samples [B, *n] at the nodes `axes` of all coordinates, size 1 where constant.

        A sample is the same function at every resolution, whatever else is asked with it. The
        first and last node of an axis are the ends of its interval. Raises ConfigError where
        values are not finite, or not positive although they should be.
        """
        indices = np.asarray(indices, np.int64)
        shape = [len(axis) if place in self.places else 1 for place, axis in enumerate(axes)]
        if not indices.size:
            return np.empty((0, *shape))
        values = self._values(indices, [axes[place] for place in self.places])
        least = 0.0 if self.positive else -np.inf
        # Comparisons with NaN are false.
        if not (values.min() > least and values.max() < np.inf):
            rows = values.reshape(len(indices), -1)
            good = ((rows > least) & (rows < np.inf)).all(axis=1)
            wanted = "positive and finite" if self.positive else "finite"
            raise ConfigError(f"sample {indices[~good][0]} of '{self.label}' is not {wanted}")
        return values.reshape(len(indices), *shape)

    @abstractmethod
    def _values(self, indices: np.ndarray, axes: Sequence[np.ndarray]) -> np.ndarray:
        """Return samples [B, *n] at the nodes of the coordinates along which they vary."""

    def latent(self, indices: np.ndarray) -> np.ndarray | None:
        """Return the numbers [B, m] that tell a sample from others; None where they are many."""
        return None


def _number(value: object) -> float:
    return parse_number(value)


def _interval(value: object) -> tuple[float, float]:
    """Return the two ends of an interval, which may be expressions."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ConfigError(f"{value!r} is not a pair of numbers", (), "[low, high]")
    low, high = (parse_number(end) for end in value)
    if not low < high:
        raise ConfigError(
            f"[{low:g}, {high:g}] is not increasing", (), "[low, high] with low < high"
        )
    return low, high


Number = Annotated[float, BeforeValidator(_number)]
Interval = Annotated[tuple[float, float], BeforeValidator(_interval)]
Positive = Annotated[float, Field(gt=0)]


class CoefficientSpec(Spec):
    """The distribution of an input field."""

    name: str
    coordinates: tuple[str, ...] | None = Field(
        None, description="those along which it varies; null: all"
    )

    @abstractmethod
    def build(self, coordinates: Sequence[str], seed: int, stream: int) -> Family:
        """Return the family over `coordinates`; streams of one seed are independent.

        Raises ConfigError whose path starts at this section.
        """

    def random(self, seed: int, stream: int, sobol: bool = False) -> Draws:
        """Return the random numbers of a stream, which other names do not share."""
        return Draws(seed, (crc32(self.name.encode()), stream), sobol)

    def places(self, coordinates: Sequence[str], least: int = 0) -> tuple[int, ...]:
        """Return which of `coordinates` it varies along, in their order; `least` at fewest."""
        if self.coordinates is None:
            return tuple(range(len(coordinates)))
        for number, name in enumerate(self.coordinates):
            if name not in coordinates:
                raise unknown(name, "a coordinate", coordinates, ("coordinates", number))
            if name in self.coordinates[:number]:
                raise ConfigError(f"'{name}' is named twice", ("coordinates", number))
        if len(self.coordinates) < least:
            raise ConfigError("no coordinate to vary along", ("coordinates",), "one at least")
        return tuple(n for n, name in enumerate(coordinates) if name in self.coordinates)
