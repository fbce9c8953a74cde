"""Fields that are computed from others by an equation of their own, and that no condition fixes."""

from __future__ import annotations

from collections.abc import Sequence

from pdehvd.assembly.trust.counted_conditions import held
from pdehvd.numerics.derivatives import Partial
from pdehvd.problems.pde_problem import PDEProblem


def derived(problem: PDEProblem) -> list[str]:
    """Return fields w with their derivatives in one equation alone, such as u = w_x.

    The other equations must suffice for the other fields, and no condition contain w. A pressure,
    which stands in several equations, is determined together with the velocity.
    """
    laws = [
        list(problem.partials(expression).values())
        for term in problem.blocks[0].terms
        for expression in term.expressions
    ]
    given = {partial.field for _, partial in held(problem, problem.blocks[1:])} | set(problem.hard)
    fields, found = list(problem.fields), []
    while field := next((f for f in fields if f not in given and _own(f, fields, laws)), ""):
        (law,) = (law for law in laws if _holds(law, field))
        if any(p.field == field and any(p.orders) for p in law):
            found.append(field)
        fields.remove(field)
        laws.remove(law)
    return [field for field in problem.fields if field in found]


def _own(field: str, fields: Sequence[str], laws: Sequence[Sequence[Partial]]) -> bool:
    """Return whether one law holds a field, with others that the remaining laws suffice for."""
    own = [law for law in laws if _holds(law, field)]
    if len(own) != 1 or len({p.field for p in own[0]}) == 1:
        return False
    return _suffice([f for f in fields if f != field], [law for law in laws if law is not own[0]])


def _holds(law: Sequence[Partial], field: str) -> bool:
    return any(partial.field == field for partial in law)


def _suffice(fields: Sequence[str], laws: Sequence[Sequence[Partial]]) -> bool:
    """Return whether every field has a law that holds it, each another one."""
    taken: dict[int, str] = {}

    def place(field: str, seen: set[int]) -> bool:
        for index, law in enumerate(laws):
            if index not in seen and _holds(law, field):
                seen.add(index)
                if index not in taken or place(taken[index], seen):
                    taken[index] = field
                    return True
        return False

    return all(place(field, set()) for field in fields)
