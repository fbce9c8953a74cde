"""A model of the time of a step on more processes than are available, and of its losses.

    T_p = s(p) c(share) + max(C / B, C - o s(p) c(share))

c(share) = fixed + whole * share is the computing of a process that holds `share` of the batch (1/p
in strong scaling, 1 in weak), s(p) the expected slowest of p processes over the mean, C the
collectives of a step on the topology, B the buckets that they leave in and o the share of the
computing that they may overlap with. With one bucket all of C is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from pdehvd.errors import counted
from pdehvd.scaling.sweep_results import efficiency
from pdehvd.scaling.topology import AllreduceCost, Topology

# The backward pass is about two thirds of a step; gradients leave while it runs.
BACKWARD = 2 / 3
ENOUGH = 0.8
_RESAMPLINGS, _LOW, _HIGH = 200, 5, 95


@dataclass(frozen=True)
class Work:
    """The computing of a step: seconds without points, and of the whole batch.

    `pace` are the times of single steps over their mean, rising. A step does `messages`
    collectives of `size` bytes. `alone` is the measured step of one process, which can be faster
    than fixed + whole: a loop without collectives is compiled in one piece.
    """

    fixed: float
    whole: float
    pace: tuple[float, ...]
    messages: float
    size: float
    alone: float

    def computing(self, share: float) -> float:
        """Return the seconds of a process that holds `share` of one process's batch."""
        return self.fixed + self.whole * share


class StepTime(NamedTuple):
    """Seconds of a step by what they go to; `total` is their sum."""

    processes: int
    computing: float
    straggling: float
    latency: float
    moving: float

    @property
    def total(self) -> float:
        return self.computing + self.straggling + self.latency + self.moving


@dataclass(frozen=True)
class Curve:
    """Predicted steps of one mode, their efficiency, and the range of the resampled ones."""

    mode: str
    alone: float
    steps: tuple[StepTime, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def efficiency(self) -> tuple[float, ...]:
        return tuple(
            efficiency(self.mode, step.processes, self.alone, step.total) for step in self.steps
        )


def fit_work(shares: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """Return (fixed, whole), both at least 0, that fit seconds over shares by relative errors."""
    measured = np.asarray(seconds, float)
    if len(measured) == 1:
        return 0.0, float(measured[0] / shares[0])
    columns = np.stack([np.ones(len(measured)), np.asarray(shares, float)], axis=1)
    (fixed, whole), _ = nnls(columns / measured[:, None], np.ones(len(measured)))
    return float(fixed), float(whole)


def straggler(processes: int, pace: Sequence[float]) -> float:
    """Return the expected slowest of p processes over the mean, for independent steps.

    E[max] = sum_i t_i ((i / n)^p - ((i - 1) / n)^p) for n rising times t: none is slower than the
    slowest that was seen.
    """
    places = np.linspace(0, 1, len(pace) + 1) ** processes
    return float(np.diff(places) @ np.asarray(pace))


def predict_step(
    mode: str, processes: int, work: Work, topology: Topology, buckets: int = 1
) -> StepTime:
    """Return the predicted step on a number of processes."""
    if processes == 1:
        return StepTime(1, work.alone, 0.0, 0.0, 0.0)
    computing = work.computing(1 / processes if mode == "strong" else 1.0)
    computing *= topology.slowdown(processes)
    slower = straggler(processes, work.pace)
    cost = _collectives(processes, work, topology, buckets)
    exposed = max(cost.total / buckets, cost.total - BACKWARD * slower * computing)
    seen = exposed / cost.total if cost.total > 0 else 0.0
    return StepTime(
        processes,
        computing,
        (slower - 1) * computing,
        cost.latency * seen,
        cost.moving * seen,
    )


def _collectives(processes: int, work: Work, topology: Topology, buckets: int) -> AllreduceCost:
    one = topology.allreduce(processes, work.size / buckets)
    often = work.messages * buckets
    return AllreduceCost(one.latency * often, one.moving * often)


def predict_curve(
    mode: str,
    counts: Sequence[int],
    draw: Callable[[np.random.Generator | None], tuple[Work, Topology]],
    buckets: int = 1,
) -> Curve:
    """Return the curve of a mode.

    `draw(None)` gives work and topology by the medians of all repeats, `draw(generator)` by
    repeats drawn with replacement: the curve's range is that of 5 to 95 % of such draws.
    """
    work, topology = draw(None)
    steps = tuple(predict_step(mode, n, work, topology, buckets) for n in counts)
    generator = np.random.default_rng(0)
    drawn = []
    for _ in range(_RESAMPLINGS):
        other, links = draw(generator)
        drawn.append(
            [
                efficiency(mode, n, other.alone, predict_step(mode, n, other, links, buckets).total)
                for n in counts
            ]
        )
    low, high = np.percentile(np.array(drawn), [_LOW, _HIGH], axis=0)
    return Curve(mode, work.alone, steps, tuple(map(float, low)), tuple(map(float, high)))


def lost_seconds(mode: str, alone: float, step: StepTime) -> dict[str, float]:
    """Return the seconds that a step has more than the ideal one, by what they go to."""
    ideal = alone / step.processes if mode == "strong" else alone
    return {
        "computing that more processes do not shorten": step.computing - ideal,
        "waiting for the slowest process": step.straggling,
        "the latency of collectives": step.latency,
        "moving and adding bytes": step.moving,
    }


def scaling_verdict(curve: Curve) -> str:
    """Return where the efficiency falls below 80 %, and what owns the loss there."""
    for step, reached in zip(curve.steps, curve.efficiency, strict=True):
        if reached < ENOUGH:
            lost = lost_seconds(curve.mode, curve.alone, step)
            owner = max(lost, key=lambda name: lost[name])
            total = sum(max(0.0, seconds) for seconds in lost.values())
            return (
                f"{curve.mode}: below 80 % from {counted(step.processes, 'process')} on "
                f"({reached:.0%}); "
                f"{lost[owner] / total:.0%} of the loss is {owner}"
            )
    last = curve.steps[-1].processes
    return f"{curve.mode}: not below 80 % up to {counted(last, 'process')}"
