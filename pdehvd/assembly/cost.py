"""Estimates of the cost of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BlockCost:
    """A set of points: its loss terms, its global size, and the channels of its derivatives."""

    terms: tuple[str, ...]
    points: int
    channels: int


@dataclass(frozen=True)
class Cost:
    """Estimates for `processes`; memory in MiB a process, work in GFLOP a step of all together.

    `notes` are sentences about the problem that a user must read before the training.
    `warnings` are those that a run would begin with.
    """

    processes: int
    parameters: int
    blocks: tuple[BlockCost, ...]
    memory: float
    work: float
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        """Global number of points at which the network is evaluated in a step."""
        return sum(block.points for block in self.blocks)
