"""The warning about a result of ordinary equations that an integration from the start refutes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pdehvd.assembly.trust.caution import Caution
from pdehvd.assembly.trust.field_ranges import TINY
from pdehvd.assembly.trust.ode_solutions import trusted_solution
from pdehvd.assembly.trust.plausible_values import rms
from pdehvd.assembly.trust.trained_state import WRONG, Result

# Below so many steps a run is only short.
_ENOUGH_STEPS = 1000


def unlike_integration(result: Result) -> Iterator[Caution]:
    """Fields of a problem without a reference that are not what the equations give from the start.

    A small residual everywhere proves little where solutions move apart: close to u = 0, those of
    u' = u (1 - u) grow from any small value.
    """
    problem = result.scales.problem
    known = result.scales.config.problem.reference is not None
    if known or len(problem.coordinates) != 1 or result.steps < _ENOUGH_STEPS:
        return
    times, places = np.unique(result.points[:, 0], return_inverse=True)
    found = {name: value for name, (_, value) in result.unknowns.items()}
    right = trusted_solution(problem, found, times)
    if right is None:
        return
    far = {
        field: rms(result.values[field] - own[places]) / max(rms(own), TINY)
        for field, own in right.items()
    }
    wrong = [
        f"{field} is off by {far[field]:.0%} of its size" for field in far if far[field] > WRONG
    ]
    if wrong:
        cause = (
            "an integration of the equations from their initial values gives another solution: "
            f"{', '.join(wrong)}"
        )
        advice = "Train on one time interval after another, each from the end of the previous one"
        yield Caution("integration", cause, advice=advice)
