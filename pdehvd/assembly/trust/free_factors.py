"""The warning about unknowns of which equations and conditions determine combinations only."""

from __future__ import annotations

from pdehvd.assembly.trust.caution import Caution
from pdehvd.assembly.trust.freedom import Freedom
from pdehvd.errors import list_in_words
from pdehvd.problems.pde_problem import PDEProblem


def unfixed_factors(problem: PDEProblem, freedom: Freedom) -> Caution:
    """Return the warning about what can be changed while all equations and conditions hold."""
    named, terms = (
        list_in_words(freedom.names),
        list_in_words([f"`{term}`" for term in freedom.terms]),
    )
    several = len(freedom.names) > 1
    zero = f"{' = '.join(freedom.names)} = 0"
    others = ", ".join(field for field in problem.fields if field not in freedom.names)
    if not freedom.terms:
        cause = (
            f"{named} cannot be distinguished: equations and conditions contain the same "
            "combination of them, so other values fit as well"
        )
    elif freedom.distinct:
        cause = f"{zero} solves {terms} for any {others}"
    else:
        only = "the ratio" if len(freedom.names) == 2 else "the ratios"
        subject = f"only {only if freedom.proportional else 'a combination'} of {named}"
        cause = (
            f"{subject} {'are' if only.endswith('s') and freedom.proportional else 'is'} determined"
            if several
            else f"nothing determines {named}, which is only a factor of {terms}"
        )
        if freedom.vanishing:
            cause += f"; {zero} solves {terms} for any {others}"
    return Caution("unidentified", cause, advice=_advice(problem, freedom))


def _advice(problem: PDEProblem, freedom: Freedom) -> str:
    fields = [name for name in freedom.names if name in problem.fields]
    if freedom.distinct:
        return f"Divide by {' or '.join(freedom.names)}"
    if len(fields) == len(freedom.names):
        return f"Give a value of {list_in_words(fields)} at one point"
    one = "one of them" if len(freedom.names) > 1 else "it"
    given = f", or give a value of {list_in_words(fields)} at one point" if fields else ""
    return f"Make {one} a constant{given}"
