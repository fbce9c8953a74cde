"""The warning about solutions that grow from values so small that zero is nearly one as well."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pdehvd.assembly.trust.caution import Caution
from pdehvd.assembly.trust.fast_motions import NEXT_WINDOW
from pdehvd.assembly.trust.plausible_values import evaluated
from pdehvd.assembly.trust.prescribed import prescribed
from pdehvd.assembly.trust.problem_scales import Scales

# Share of the size of the solution, and size, below which values hardly exclude zero.
_SMALL = 0.1


def small_starts(scales: Scales) -> Iterator[Caution]:
    """Conditions that alone exclude the zero solution, by values far below those of the solution.

    A thin layer that leads from such values to zero adds little to the loss, whatever the weight
    of the condition is.
    """
    against, problem = scales.open.against_zero, scales.problem
    if not scales.open.zero_solves or problem.unknowns or not against:
        return
    values = {name: 0.0 for name in against}
    for one in prescribed(problem):
        name = one.origin.strip("`")
        if name in values:
            columns = dict(zip(problem.coordinates, one.x.T, strict=True))
            own = np.abs(evaluated([one.value], columns)[0])
            values[name] = max(values[name], float(np.max(own)))
    largest = max(scales.fields.values(), key=lambda size: size.largest, default=None)
    most = max(values.values())
    if largest is None or not all(values.values()) or most > _SMALL * min(1.0, largest.largest):
        return
    named = ", ".join(f"`{name}`" for name in against)
    cause = (
        f"zero solves the equations, and only {named} excludes that, with values of {most:.2g}, "
        f"while {largest.name} grows to {largest.largest:.2g} ({largest.origin}): the loss is "
        "small for a solution that drops to zero"
    )
    yield Caution("small_start", cause, advice=NEXT_WINDOW)
