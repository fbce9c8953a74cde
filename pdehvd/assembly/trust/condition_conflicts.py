"""Where conditions meet and prescribe different values of a field."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from pdehvd.assembly.trust.magnitudes import ImposedValues
from pdehvd.problems.pde_problem import PDEProblem

# Distance in domain lengths at which conditions meet; share of the values by which they differ.
_NEAR, _DIFFERENT = 0.05, 0.3


@dataclass(frozen=True)
class Clash:
    """Two conditions that prescribe different values [2] of a field near a point [D]."""

    field: str
    origins: tuple[str, str]
    values: tuple[float, float]
    place: tuple[float, ...]


def clashes(problem: PDEProblem, imposed: Sequence[ImposedValues]) -> tuple[Clash, ...]:
    """Return the pairs of conditions that differ where they come near each other."""
    lengths = np.ptp(problem.domain.bounds, axis=1)
    found = []
    for first, second in itertools.combinations([i for i in imposed if not i.known], 2):
        if first.field != second.field:
            continue
        distances, partners = cKDTree(second.x / lengths).query(first.x / lengths)
        own = int(np.argmin(distances))
        values = float(first.values[own]), float(second.values[partners[own]])
        size = max(np.abs(first.values).max(), np.abs(second.values).max())
        if distances[own] < _NEAR and abs(values[0] - values[1]) > _DIFFERENT * size:
            place = tuple(first.x[own].tolist())
            found.append(Clash(first.field, (first.origin, second.origin), values, place))
    return tuple(found)
