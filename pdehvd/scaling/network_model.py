"""A model of the allreduce: latency, bandwidth and reduction cost, fitted to measured times.

Of n bytes over p processes (Thakur, Rabenseifner, Gropp, IJHPCA 19, 2005):

    ring                2 (p - 1) a + 2 (p - 1)/p n b + (p - 1)/p n g
    recursive doubling  ceil(log2 p) (a + n b + n g)

with the latency a in seconds, b in seconds per byte sent, g in seconds per byte added.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

ALGORITHMS = ("ring", "recursive doubling")
# Octaves of sizes that say how latency and bandwidth compare, and that say what a size costs.
_BROAD, _CLOSE = 3.0, 0.7


class AllreduceSample(NamedTuple):
    """One measured allreduce: processes, bytes, seconds."""

    processes: int
    bytes: int
    seconds: float


class Counts(NamedTuple):
    """How often an allreduce pays latency, sends a byte and adds a byte."""

    latency: float
    sent: float
    added: float


@dataclass(frozen=True)
class Link:
    """Costs of one allreduce algorithm on one kind of link.

    `latency` in s, `per_byte` and `reduction` in s per byte. `misfit` is the median of
    |model/measured - 1| over the samples of the fit, NaN where there was none.
    """

    algorithm: str
    latency: float
    per_byte: float
    reduction: float
    misfit: float = math.nan

    def seconds(self, processes: int, size: float) -> float:
        """Return the seconds of an allreduce of `size` bytes."""
        return sum(self.parts(processes, size))

    def parts(self, processes: int, size: float) -> tuple[float, float]:
        """Return the seconds of latency, and of moving and adding bytes."""
        often = counts(self.algorithm, processes, size)
        moved = often.sent * self.per_byte + often.added * self.reduction
        return often.latency * self.latency, moved

    def limited(self, bits_per_second: float, latency: float = 0.0) -> Link:
        """Return the same with no byte faster than a link's rate, and `latency` seconds more."""
        per_byte = max(self.per_byte, 8 / bits_per_second)
        return replace(self, latency=self.latency + latency, per_byte=per_byte)


def counts(algorithm: str, processes: int, size: float) -> Counts:
    """Return how often `algorithm` pays each cost for `size` bytes; zero on one process."""
    if processes == 1:
        return Counts(0.0, 0.0, 0.0)
    if algorithm == "ring":
        around = (processes - 1) / processes * size
        return Counts(2.0 * (processes - 1), 2 * around, around)
    rounds = math.ceil(math.log2(processes))
    return Counts(rounds, rounds * size, rounds * size)


def fit_link(
    samples: Sequence[AllreduceSample],
    algorithm: str,
    reduction: float,
    near: float | None = None,
) -> Link:
    """Return the link that fits measured times best, by relative errors.

    One size of job cannot tell a byte sent from a byte added, so `reduction` (s per byte) is
    measured apart and at most what fits. With `near` (bytes), samples count the more, the nearer
    their size is to it, and all costs are then scaled to what was measured at that size: caches
    and protocols make no single line right from 1 KB to 256 MB.
    Raises `ValueError` for fewer than two different sizes on two or more processes.
    """
    used = [s for s in samples if s.processes > 1 and s.seconds > 0]
    if len({s.bytes for s in used}) < 2:
        raise ValueError("a line needs two sizes of messages on two or more processes")
    seconds = np.array([s.seconds for s in used])
    often = np.array([counts(algorithm, s.processes, s.bytes) for s in used])
    sizes = np.array([s.bytes for s in used], float)
    weights = np.ones(len(used)) if near is None else _near(sizes, near, _BROAD)
    relative = (weights / seconds)[:, None]
    rest = weights * (1 - often[:, 2] * reduction / seconds)
    (latency, per_byte), _ = nnls(often[:, :2] * relative, rest)
    if per_byte == 0:
        # Adding is cheaper here than what was measured apart: the slope belongs to it alone.
        (latency, reduction), _ = nnls(often[:, [0, 2]] * relative, weights)
    costs = np.array([latency, per_byte, reduction])
    misfit = float(_weighted_median(np.abs(often @ costs / seconds - 1), weights))
    if near is not None:
        off = np.log(seconds / (often @ costs))
        costs *= np.exp(np.average(off, weights=_near(sizes, near, _CLOSE)))
    latency, per_byte, reduction = map(float, costs)
    return Link(algorithm, latency, per_byte, reduction, misfit)


def _near(sizes: np.ndarray, near: float, octaves: float) -> np.ndarray:
    """Return weights that fall to 0.6 at so many octaves from a size, and never to 0."""
    return np.exp(-0.5 * (np.log2(sizes / max(near, 1.0)) / octaves) ** 2) + 1e-3


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    result: float = values[order][np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)]
    return result


def bus_bandwidth(processes: int, size: float, seconds: float) -> float:
    """Return bytes per second that each link must carry for it: 2 (p - 1)/p n / T."""
    return 2 * (processes - 1) / processes * size / seconds
