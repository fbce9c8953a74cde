"""Sizes to which the solution of ordinary equations grows from its start."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pdehvd.assembly.trust.magnitudes import ImposedValues
from pdehvd.assembly.trust.ode_solutions import fixed_by_hard_forms, solution
from pdehvd.problems.pde_problem import PDEProblem

# An order of magnitude is asked for.
_TOLERANCE, _TIMES = 1e-3, 64


def grown(problem: PDEProblem, imposed: Sequence[ImposedValues]) -> list[ImposedValues]:
    """Return values of the solution of a first-order system in one coordinate, from its start.

    Empty where the system has unknowns, has no start for a field, or cannot be solved.
    """
    if len(problem.coordinates) != 1 or problem.unknowns:
        return []
    start = _start(problem, imposed)
    low, high = problem.domain.bounds[0].tolist()
    times = np.linspace(low, high, _TIMES)
    values = solution(problem, start, {}, times, _TOLERANCE)
    if values is None:
        return []
    names = ", ".join(f"`{term.name.split('/')[-1]}`" for term in problem.blocks[0].terms)
    origin = f"{names} from the start on"
    return [
        ImposedValues(field, times[:, None], own, origin, known=True)
        for field, own in values.items()
    ]


def _start(problem: PDEProblem, imposed: Sequence[ImposedValues]) -> dict[str, float]:
    """Return the values of fields at the lower bound, of those that have one."""
    low = problem.domain.bounds[:, :1]
    found = {}
    for field in problem.fields:
        values = [e.values[np.isclose(e.x[:, 0], low[0, 0])] for e in imposed if e.field == field]
        known = np.concatenate([*values, np.zeros(0)])
        if known.size:
            found[field] = float(known[0])
    return found | fixed_by_hard_forms(problem, low)
