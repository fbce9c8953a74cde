"""Subdomains that meet without enough conditions between them: each part is solved by itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from pdehvd.assembly.trust.caution import Caution
from pdehvd.assembly.trust.counted_conditions import orders
from pdehvd.assembly.trust.problem_scales import Scales
from pdehvd.errors import counted
from pdehvd.problems.subdomain import interface
from pdehvd.problems.subdomains import Part

# Fields of one pair are named in one warning.
Missing = dict[str, tuple[int, int]]


def unjoined_subdomains(scales: Scales) -> Iterator[Caution]:
    """Fields of neighbouring subdomains with fewer conditions between them than they need."""
    problem = scales.problem
    for one, other in combinations(problem.subdomains.parts, 2):
        missing = _missing(scales, one, other)
        if not missing or one.place is None or other.place is None:
            continue
        if interface(problem.domain.frame, one.place, other.place)[0] is None:
            continue
        listed = [
            f"{name} needs {counted(needed, 'condition')} there and has {given or 'none'}"
            for name, (needed, given) in missing.items()
        ]
        cause = f"{one.name} and {other.name} meet, and {', '.join(listed)}"
        name, (needed, _) = next(iter(missing.items()))
        # A flux is the slope times a coefficient, which only the author of the problem knows.
        flux = f", k*{name}_n: k*{name}_n" if needed > 1 else ""
        advice = (
            f"Add `{{between: [{one.name}, {other.name}], equal: {{{name}: {name}{flux}}}}}`"
            + (", with the coefficients of your fluxes" if flux else "")
        )
        yield Caution("unjoined", cause, advice=advice)


def _missing(scales: Scales, one: Part, other: Part) -> Missing:
    """Return how many conditions fields of two parts need, and how many they have."""
    found: Missing = {}
    for name, own in one.fields.items():
        if name in other.fields:
            needed, given = _needed(scales, own), _given(scales, one, other, own)
            if given < needed:
                found[name] = needed, given
    return found


def _needed(scales: Scales, own: str) -> int:
    """Return how many conditions a field needs on each side of a boundary, by its order in space.

    Equations of first order need one where they come in pairs, or where something flows across.
    """
    problem = scales.problem
    names = problem.coordinates
    order = max((orders(problem, names.index(n))[own] for n in problem.domain.space), default=0)
    return order if order < 2 else 2 * (order // 2)


def _given(scales: Scales, one: Part, other: Part, own: str) -> int:
    """Return how many residuals of conditions between two parts hold a field of the first."""
    problem, count = scales.problem, 0
    conditions = scales.config.problem.conditions
    pairs = {name: spec.pair for name, spec in conditions.items() if spec.pair}
    for block in problem.blocks[1:]:
        if set(pairs.get(block.name, ())) == {one.name, other.name}:
            for term in block.terms:
                for residual in term.expressions:
                    held = {partial.field for partial in problem.partials(residual).values()}
                    count += own in held
    return count
