"""Modes of an eigenproblem that are the same one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from pdehvd.assembly.trust.caution import Caution
from pdehvd.assembly.trust.trained_state import Result

# Cosine of the angle between two modes, and relative difference of their eigenvalues.
_ALIKE, _CLOSE = 0.9, 0.05


def modes_alike(result: Result) -> Iterator[Caution]:
    """Two modes with almost the same fields and the same eigenvalue."""
    problem = result.scales.problem
    names = [unknown.name for unknown in problem.unknowns if unknown.eigenvalue]
    if len(names) < 2:
        return
    modes = np.split(np.array([result.values[field] for field in problem.fields]), len(names))
    for one, other in combinations(range(len(names)), 2):
        found = [result.unknowns[names[number]][1] for number in (one, other)]
        if not math.isclose(*found, rel_tol=_CLOSE):
            continue
        sizes = np.linalg.norm(modes[one]) * np.linalg.norm(modes[other])
        if abs(np.sum(modes[one] * modes[other])) > _ALIKE * sizes > 0:
            cause = (
                f"modes {one + 1} and {other + 1} are the same: {names[one]} = {found[0]:.6g}, "
                f"{names[other]} = {found[1]:.6g}, and their fields differ by a factor only"
            )
            advice = (
                f"Give {names[other]} a guess closer to another eigenvalue, with `within`, or "
                "leave `initial` out, so that it is estimated"
            )
            yield Caution("modes_alike", cause, advice=advice)
