"""Point sequences in the unit cube that depend on (seed, key, global index) only."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from pdehvd.errors import ConfigError

Key = tuple[int, ...]
# One tag per purpose, so that two draws under the same (seed, key) never share random bits.
_UNIFORM, _SCRAMBLE, _PERMUTATION, _JITTER, _SELECTION = range(5)


def _entropy(seed: int, key: Key, tag: int) -> np.random.SeedSequence:
    # The length separates keys that differ only in trailing zeros.
    return np.random.SeedSequence(seed, spawn_key=(tag, len(key), *key))


def _random(seed: int, key: Key, tag: int, start: int, stop: int) -> np.ndarray:
    """Return entries start..stop of an endless stream of uniform numbers in [0, 1).

    Philox is counter-based (Salmon et al. 2011, doi 10.1145/2063384.2063405): four numbers a
    counter, so a part of the stream costs the same wherever it begins.
    """
    words = _entropy(seed, key, tag).generate_state(2, np.uint64)
    stream = np.random.Philox(key=words, counter=start // 4)
    skip = start % 4
    raw = stream.random_raw(skip + stop - start)[skip:]
    values: np.ndarray = (raw >> np.uint64(11)) * 2.0**-53
    return values


@dataclass(frozen=True)
class Sampler(ABC):
    """Points in the unit cube; row i of a set depends on (seed, key, i, count) and no shard."""

    seed: int

    def total(self, dimension: int, count: int) -> int:
        """Return how many points a set of `count` has; fewer only on a grid."""
        return count

    def points(self, dimension: int, count: int, start: int, stop: int, key: Key) -> np.ndarray:
        """Return rows start..stop [stop - start, dimension] in [0, 1) of a set of `count`."""
        total = self.total(dimension, count)
        if not 0 <= start <= stop <= total:
            raise ValueError(f"rows {start}..{stop} of {total} points")
        if dimension == 0 or start == stop:
            return np.zeros((stop - start, dimension))
        return self._rows(dimension, count, start, stop, key)

    def varied(self) -> Sampler:
        """Return a sampler whose points differ from key to key."""
        return self

    @abstractmethod
    def _rows(self, dimension: int, count: int, start: int, stop: int, key: Key) -> np.ndarray:
        """Return the rows; `dimension` and `stop - start` are at least one."""


class Uniform(Sampler):
    """Independent uniform points."""

    def _rows(self, dimension: int, count: int, start: int, stop: int, key: Key) -> np.ndarray:
        flat = _random(self.seed, key, _UNIFORM, start * dimension, stop * dimension)
        return flat.reshape(-1, dimension)


class Lattice(Sampler):
    """Midpoints of equal cells, about equally many along every axis; the same for every key."""

    @staticmethod
    def _sizes(dimension: int, count: int) -> list[int]:
        side = round(count ** (1 / dimension))
        side -= side**dimension > count
        sizes = [side] * dimension
        for axis in range(dimension):
            sizes[axis] += 1
            if np.prod(sizes, dtype=object) > count:
                sizes[axis] -= 1
                break
        return sizes

    def varied(self) -> Sampler:
        return Uniform(self.seed)

    def total(self, dimension: int, count: int) -> int:
        """Return the number of cells: the largest near-cubic grid of at most `count`."""
        return int(np.prod(self._sizes(dimension, count))) if dimension else count

    def _rows(self, dimension: int, count: int, start: int, stop: int, key: Key) -> np.ndarray:
        sizes = self._sizes(dimension, count)
        cells = np.stack(np.unravel_index(np.arange(start, stop), sizes), axis=1)
        return (cells + 0.5) / sizes


class LatinHypercube(Sampler):
    """One point in each of `count` slices of every axis (McKay et al. 1979)."""

    def _rows(self, dimension: int, count: int, start: int, stop: int, key: Key) -> np.ndarray:
        generator = np.random.Generator(np.random.PCG64(_entropy(self.seed, key, _PERMUTATION)))
        slices = [generator.permutation(count)[start:stop] for _ in range(dimension)]
        within = _random(self.seed, key, _JITTER, start * dimension, stop * dimension)
        values: np.ndarray = (np.stack(slices, axis=1) + within.reshape(-1, dimension)) / count
        return values


class _LowDiscrepancy(Sampler):
    """A scrambled sequence of scipy.stats.qmc, scrambled separately for every key."""

    engine = ""

    def _rows(self, dimension: int, count: int, start: int, stop: int, key: Key) -> np.ndarray:
        # Importing scipy.stats takes half a second, which commands that draw nothing must not pay.
        from scipy.stats import qmc

        generator = np.random.Generator(np.random.PCG64(_entropy(self.seed, key, _SCRAMBLE)))
        sequence = getattr(qmc, self.engine)(dimension, scramble=True, seed=generator)
        if start:
            sequence.fast_forward(start)
        with warnings.catch_warnings():
            # Counts that are not powers of two are the user's choice, and cost little balance.
            warnings.filterwarnings("ignore", message="The balance properties")
            values: np.ndarray = sequence.random(stop - start)
            return values


class Sobol(_LowDiscrepancy):
    """Scrambled Sobol sequence (Sobol 1967, Owen 1998)."""

    engine = "Sobol"


class Halton(_LowDiscrepancy):
    """Scrambled Halton sequence (Halton 1960, Owen 2017)."""

    engine = "Halton"


@dataclass(frozen=True)
class Rad(Sampler):
    """Residual-based adaptive distribution (Wu et al. 2023, doi 10.1016/j.cma.2022.115671).

    Points come from `base` until residuals are known; then `select` keeps some of `candidates`.
    """

    base: Sampler
    power: float
    offset: float
    candidates: int
    every: int

    def total(self, dimension: int, count: int) -> int:
        """Return the total of the base sampler."""
        return self.base.total(dimension, count)

    def _rows(self, dimension: int, count: int, start: int, stop: int, key: Key) -> np.ndarray:
        return self.base.points(dimension, count, start, stop, key)

    def select(self, residual: np.ndarray, count: int, key: Key) -> np.ndarray:
        """Return the indices [count] of the candidates to keep; see `rad_select`."""
        return rad_select(residual, count, self.power, self.offset, self.seed, key)


def rad_select(
    residual: np.ndarray, count: int, power: float, offset: float, seed: int, key: Key
) -> np.ndarray:
    """Draw `count` of M candidates without replacement; returns ascending indices [count].

    Density p ~ |r|^k / mean(|r|^k) + c of residuals r [M] given in global order (Wu et al. 2023,
    doi 10.1016/j.cma.2022.115671). Each candidate gets an exponential clock of rate p and the
    first `count` to ring are kept, which is the Gumbel top-k draw (Efraimidis and Spirakis 2006).
    """
    size = np.abs(np.asarray(residual, np.float64).ravel())
    if not 0 < count <= len(size):
        raise ConfigError(f"cannot keep {count} of {len(size)} candidate points")
    # A residual that overflowed is a large one; that the run diverges is for the trainer to say.
    largest = np.max(size, where=np.isfinite(size), initial=0.0)
    size = np.where(np.isfinite(size), size, largest) / (largest or 1.0)
    weight = size**power
    mean = weight.mean()
    weight = (weight / mean if mean > 0 else np.ones_like(weight)) + offset
    # Half a unit in the last place keeps the logarithm finite.
    clock = -np.log(_random(seed, key, _SELECTION, 0, len(size)) + 2.0**-54)
    with np.errstate(divide="ignore"):
        clock = clock / weight
    return np.sort(np.argsort(clock, kind="stable")[:count])
