"""Multi-resolution training: resolution schedules, as the cycles of multigrid."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Literal

from pydantic import Field, PositiveInt

from pdehvd.errors import ConfigError
from pdehvd.spec import Spec

Cycle = Literal["half_v", "v", "w", "f"]


@dataclass(frozen=True)
class ResolutionSchedule:
    """The resolution of every step: visits of levels, one after another."""

    resolutions: tuple[int, ...]
    stops: tuple[int, ...]

    def resolution(self, step: int) -> int:
        """Return the nodes a coordinate of the step after `step` steps."""
        return self.resolutions[min(bisect_right(self.stops, step), len(self.resolutions) - 1)]


class LevelsSpec(Spec):
    """Levels of resolution, the same weights on all of them.

    half_v goes from coarse to fine; v from fine to coarse and back; w and f return to the coarse
    levels as the cycles of multigrid do (Balu et al. 2021, arXiv 2104.14538).
    """

    resolutions: tuple[PositiveInt, ...] = Field(
        min_length=1, description="nodes a coordinate, from coarse to fine"
    )
    cycle: Cycle = "half_v"
    shares: tuple[float, ...] | None = Field(
        None, description="of the steps for each visit of a level; null: the same for all"
    )

    def build(self, steps: int, finest: int) -> ResolutionSchedule:
        """Return the schedule of `steps` steps. Raises `ConfigError` for levels that do not fit."""
        ascending = sorted(set(self.resolutions))
        if list(self.resolutions) != ascending or ascending[-1] != finest:
            raise ConfigError(
                f"the levels {list(self.resolutions)}",
                ("resolutions",),
                f"different resolutions from coarse to fine, the last one {finest}",
            )
        visits = [self.resolutions[level] for level in visited(self.cycle, len(ascending))]
        shares = self.shares or (1.0,) * len(visits)
        if len(shares) != len(visits) or min(shares) <= 0 or not math.isfinite(sum(shares)):
            raise ConfigError(
                f"{len(shares)} shares for the {len(visits)} visits {visits}",
                ("shares",),
                f"{len(visits)} finite numbers above 0",
            )
        ends = [round(steps * part / sum(shares)) for part in accumulate(shares)]
        return ResolutionSchedule(tuple(visits), tuple(ends))


def visited(cycle: Cycle, levels: int) -> list[int]:
    """Return the levels that a cycle visits in turn; 0 is the coarsest, `levels` - 1 the last."""
    if cycle == "half_v":
        return list(range(levels))
    return [level for level, _ in groupby(_down_and_up(cycle, levels - 1))]


def _down_and_up(cycle: Cycle, level: int) -> list[int]:
    """Return a level, what the cycle does below it, and the level again."""
    if level == 0:
        return [0]
    second: dict[Cycle, list[int]] = {"v": []}
    if cycle != "v":
        second = {"w": _down_and_up("w", level - 1), "f": _down_and_up("v", level - 1)}
    return [level, *_down_and_up(cycle, level - 1), *second[cycle], level]


def constant(resolution: int) -> ResolutionSchedule:
    """Return the schedule of one resolution."""
    return ResolutionSchedule((resolution,), ())
