"""Terms that must not be given up: the only ones that exclude zero, or that fix a coefficient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pdehvd.assembly.trust.magnitudes import TermSize
from pdehvd.assembly.trust.well_posedness import Determined
from pdehvd.problems.condition import ConditionSpec
from pdehvd.problems.pde_problem import PDEProblem

# Their weight, and below which weight they are weak.
STRONG, WEAK = 100.0, 100.0 / 3


def weak_norms(
    problem: PDEProblem,
    conditions: Mapping[str, ConditionSpec],
    open_: Determined,
    terms: Sequence[TermSize],
) -> list[TermSize]:
    """Return the integrals that alone exclude the zero solution of an eigenproblem, if weak."""
    against = open_.against_zero
    if not (problem.unknowns and open_.zero_solves and against):
        return []
    # What is not in the file is the norm of a mode, which is an integral too.
    if not all(conditions[name].averaged for name in against if name in conditions):
        return []
    return [term for term in terms if term.short in against and term.strength < WEAK]


def weak_data(open_: Determined, terms: Sequence[TermSize]) -> list[TermSize]:
    """Return the weak conditions and data on which the accuracy of a coefficient rests."""
    if not open_.coefficients:
        return []
    given = [term for term in terms if not term.name.startswith("equation/")]
    return [term for term in given if term.strength < WEAK]
