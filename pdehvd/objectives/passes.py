"""Passes of the network: blocks that need the same derivatives share one."""

from __future__ import annotations

from dataclasses import dataclass

from pdehvd.numerics import jets
from pdehvd.problems.pde_problem import PDEProblem


@dataclass(frozen=True)
class Pass:
    """One pass of the network over all blocks that need the same derivatives."""

    plan: jets.Plan
    members: tuple[int, ...]


def group_passes(problem: PDEProblem) -> tuple[Pass, ...]:
    """Group the blocks by the derivatives they need: one network pass for each group."""
    groups: dict[tuple[object, object], list[int]] = {}
    for index, block in enumerate(problem.blocks):
        key = (block.formulas.requested, block.formulas.operators)
        groups.setdefault(key, []).append(index)
    dimension = len(problem.coordinates)
    return tuple(
        Pass(problem.blocks[members[0]].formulas.plan(dimension), tuple(members))
        for members in groups.values()
    )
