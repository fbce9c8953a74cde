"""Random numbers of samples that depend on (seed, key, number of the sample) only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from pdehvd.errors import ConfigError
from pdehvd.problems.sequences import Key, Sobol, Uniform

# scipy.stats.qmc gives Sobol points as multiples of 2^-30.
_BITS = 30


@dataclass(frozen=True)
class Draws:
    """The numbers that samples are made of; any subset of them, in any order, is the same."""

    seed: int
    key: Key
    sobol: bool = False

    def uniform(self, indices: np.ndarray, count: int) -> np.ndarray:
        """Return `count` numbers in [0, 1) for each sample of indices [B]: [B, count]."""
        if self.sobol:
            return _sobol(self.seed, self.key, indices, count)
        result, sampler = np.empty((len(indices), count)), Uniform(self.seed)
        for row, index in zip(result, indices.tolist(), strict=True):
            row[:] = sampler.points(count, index + 1, index, index + 1, self.key)[0]
        return result

    def normal(self, indices: np.ndarray, count: int) -> np.ndarray:
        """Return `count` standard normal numbers for each sample of indices [B]: [B, count]."""
        # Uniform numbers may be 0, whose quantile is infinite, but not 1.
        values: np.ndarray = ndtri(np.maximum(self.uniform(indices, count), 2.0**-54))
        return values


@lru_cache(maxsize=1024)
def _digits(seed: int, key: Key, dimension: int, index: int) -> np.ndarray:
    """Return point `index` of a scrambled Sobol sequence as whole numbers [dimension]."""
    point = Sobol(seed).points(dimension, index + 1, index, index + 1, key)[0]
    values: np.ndarray = (point * 2**_BITS).astype(np.int64)
    return values


def _sobol(seed: int, key: Key, indices: np.ndarray, dimension: int) -> np.ndarray:
    """Return points of a scrambled Sobol sequence by their numbers: [B, dimension].

    Point i is point 0, its binary digits added without carry to one direction for each digit of
    the Gray code of i (Antonov and Saleev 1979); the code of 2^(b+1) - 1 has digit b alone. So no
    point costs the walk through all before it.
    """
    if indices.max(initial=0) >> _BITS:
        raise ConfigError(
            f"sample {indices.max()} is beyond the end of the Sobol sequence",
            ("draws",),
            "uniform for more than 2^30 samples",
        )
    origin = _digits(seed, key, dimension, 0)
    codes = indices ^ (indices >> 1)
    points = np.tile(origin, (len(indices), 1))
    for bit in range(int(codes.max(initial=0)).bit_length()):
        direction = _digits(seed, key, dimension, 2 ** (bit + 1) - 1) ^ origin
        points[(codes >> bit) % 2 == 1] ^= direction
    return points * 2.0**-_BITS
