"""Between which values fields lie, with what their `hard` forms add to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pdehvd.assembly.trust.plausible_values import Plausible, Range, evaluated, rms
from pdehvd.problems.evaluation import evaluation_points
from pdehvd.problems.pde_problem import PDEProblem

REFERENCE_POINTS = 512
TINY = 1e-300
# What is constant may vary by this share of itself, and what is one value by the other.
_CONSTANT, _SAME = 0.1, 1e-12


@dataclass(frozen=True)
class FieldSize:
    """What is known of a field: values from `low` to `high`, and the network's share in them.

    `needed` is the size that the network's raw output must have for them; a fresh network gives
    about 1. It is 0 where only zeros are known. `largest` is the largest |value| of the field.
    What is `estimated` is an order of magnitude, from a source or a flux; such is the `deviation`
    of a field from its only known value, 0 where nothing is known of it.
    """

    name: str
    low: float
    high: float
    needed: float
    largest: float
    origin: str
    hard: bool
    estimated: bool = False
    deviation: float = 0.0

    @property
    def single(self) -> bool:
        """Whether one value is known, other than 0."""
        return self.low == self.high != 0


def raw_range(problem: PDEProblem, field: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a field [n] where the network gives 0, and by how much it grows where that gives 1."""
    expression = problem.hard.get(field)
    if expression is None:
        return np.zeros(len(x)), np.ones(len(x))
    columns = dict(zip(problem.coordinates, x.T, strict=True))
    columns |= {u.name: np.asarray(u.initial) for u in problem.unknowns}
    base, one = (
        np.broadcast_to(evaluated([expression], {**columns, "network": np.asarray(n)})[0], len(x))
        for n in (0.0, 1.0)
    )
    return base, one - base


def plausible(
    problem: PDEProblem, sizes: Mapping[str, FieldSize], formed: bool = True
) -> Plausible:
    """Return plausible values of all names.

    A field of which nothing is known has the size of its `hard` form where `formed`, else 1.
    """
    ranges, offsets = {}, {}
    for field in problem.fields:
        size = sizes.get(field)
        ranges[field] = _range(size)
        if field in problem.hard:
            shifted = _shifted(problem, field, size)
            if shifted is not None:
                offsets[field], ranges[field] = shifted
            elif size is None and formed:
                ranges[field] = _formed(problem, field)
    return Plausible(problem, ranges, offsets)


def _range(size: FieldSize | None) -> Range:
    """Return between which values a field lies; of what may be anything, or is 0, between -1, 1."""
    low, high = (size.low, size.high) if size else (-1.0, 1.0)
    if size and size.largest > max(abs(low), abs(high)):
        low, high = min(low, -size.largest), max(high, size.largest)
    return (low, high) if max(abs(low), abs(high)) > 0 else (-1.0, 1.0)


def _formed(problem: PDEProblem, field: str) -> Range:
    """Return between which values a `hard` form lies for outputs of the network of about 1."""
    base, reach = raw_range(problem, field, evaluation_points(problem.domain, REFERENCE_POINTS))
    base, size = base[np.isfinite(base)], rms(reach)
    return float(base.min(initial=0.0)) - size, float(base.max(initial=0.0)) + size


def _shifted(problem: PDEProblem, field: str, size: FieldSize | None) -> tuple[float, Range] | None:
    """Return the constant c that a `hard` form adds to a field, and the range of the field.

    None without such a constant, and where the field is not nearer to c than to 0.
    """
    base, reach = raw_range(problem, field, evaluation_points(problem.domain, REFERENCE_POINTS))
    base = base[np.isfinite(base)]
    constant = float(base.mean()) if base.size else 0.0
    if constant == 0 or base.std() > _CONSTANT * abs(constant):
        return None
    values = [base.min(), base.max()]
    if size is not None:
        values += [constant + size.high] if size.estimated else [size.low, size.high]
    low, high = float(min(values)), float(max(values))
    if max(abs(low - constant), abs(high - constant)) <= _SAME * abs(constant):
        # The values known are those of the form alone: what the network adds is not known.
        low, high = constant - rms(reach), constant + rms(reach)
    if max(abs(low - constant), abs(high - constant)) >= max(abs(low), abs(high)):
        return None
    return constant, (low, high)
