"""Warnings before training: sizes, and problems that nothing determines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pdehvd.assembly.trust import suggested_fixes
from pdehvd.assembly.trust.caution import Caution
from pdehvd.assembly.trust.contradictions import contradictions
from pdehvd.assembly.trust.fast_motions import fast_motions, fast_sources
from pdehvd.assembly.trust.free_factors import unfixed_factors
from pdehvd.assembly.trust.initial_guesses import first_guesses
from pdehvd.assembly.trust.missing_conditions import missing_conditions
from pdehvd.assembly.trust.problem_scales import Scales
from pdehvd.assembly.trust.residual_sizes import residual_sizes
from pdehvd.assembly.trust.small_starts import small_starts
from pdehvd.assembly.trust.unjoined_subdomains import unjoined_subdomains
from pdehvd.assembly.trust.weak_terms import STRONG, weak_data, weak_norms
from pdehvd.problems.finite_values import first_items, not_finite


def before_training(scales: Scales) -> list[Caution]:
    """Return all warnings about a problem that is not trained yet."""
    return [caution for rule in _RULES for caution in rule(scales)]


def zero_solution(scales: Scales) -> Iterator[Caution]:
    """Eigenproblems, which zero solves but for an integral at most."""
    if not scales.open.zero_solves or not scales.problem.unknowns:
        return
    against, given = scales.open.against_zero, scales.config.problem.conditions
    if not against:
        cause = "zero solves the equations and all conditions, whatever the unknowns are"
        integral = {"integral": f"{scales.problem.fields[0]}^2", "equal": 1}
        yield Caution("zero", cause, suggested_fixes.condition("norm", **integral))
        return
    weak = weak_norms(scales.problem, given, scales.open, scales.terms)
    if weak:
        named = ", ".join(f"`{term.short}`" for term in weak)
        cause = f"zero solves the equations, and only {named} excludes that"
        weights = {term.short: STRONG for term in weak}
        yield Caution("zero", cause, suggested_fixes.weights(scales.config, weights))


def unidentified(scales: Scales) -> Iterator[Caution]:
    """Unknowns that nothing determines, and those that cannot be distinguished."""
    unknowns = ", ".join(unknown.name for unknown in scales.problem.unknowns)
    if scales.unmeasured and not (scales.open.zero_solves and not scales.open.against_zero):
        cause = (
            f"nothing determines {unknowns}: there are only as many conditions at the ends of the "
            "coordinates as the equation needs, and they can be met for any value"
        )
        yield Caution("unidentified", cause, advice="Give data, or one more condition")
    elif scales.freedom is not None:
        yield unfixed_factors(scales.problem, scales.freedom)


def open_coefficients(scales: Scales) -> Iterator[Caution]:
    """Fields in no condition that the equations hold as factors only."""
    weak = {term.name: STRONG for term in weak_data(scales.open, scales.terms)}
    if not weak:
        return
    field, equation = next(iter(scales.open.coefficients.items()))
    cause = (
        f"{field} is in no condition and only multiplies other fields in `{equation}`: it can be "
        "no more accurate than these and their derivatives, so conditions and data come first"
    )
    yield Caution("coefficient", cause, suggested_fixes.weights(scales.config, weak))


def unused_fields(scales: Scales) -> Iterator[Caution]:
    """Fields that training never touches."""
    if scales.open.unused:
        named = ", ".join(scales.open.unused)
        cause = f"no equation and no condition contains {named}, which keeps its initial values"
        yield Caution("unused", cause, {}, "Remove it from `fields`, or add its equation")


def ends_among_layers(scales: Scales) -> Iterator[Caution]:
    """Lists of hidden layers that also hold the numbers of inputs and outputs, as elsewhere."""
    layers: Sequence[int] = getattr(scales.config.model, "layers", None) or ()
    ends = (len(scales.problem.coordinates), len(scales.problem.fields))
    if len(layers) > 2 and (layers[0], layers[-1]) == ends:
        cause = (
            f"`layers` lists the hidden layers only, and {list(layers)} begins with the number of "
            "coordinates and ends with that of fields"
        )
        inner = list(layers[1:-1])
        yield Caution("layers", cause, suggested_fixes.model(scales.config, layers=inner))


def infinite_values(scales: Scales) -> Iterator[Caution]:
    """Terms that are not finite at some of their points, whatever the fields are."""
    problem = scales.problem
    for block in problem.blocks:
        for term in block.terms:
            items = first_items(block.source)
            every = (not_finite(problem.language, e, items) for e in term.expressions)
            found = next((one for one in every if one is not None), None)
            if found is not None:
                name, share = term.short, f"{100 * found.share:.2g}%"
                cause = (
                    f"`{name}` is not finite at {share} of its points, such as "
                    f"{found.place}, where {found.part} is {found.value:g}: the loss is "
                    "not finite either"
                )
                advice = "Leave these points out, or write `where(...)` for the values there"
                yield Caution("infinite_values", cause, advice=advice)


def absolute_errors(scales: Scales) -> Iterator[Caution]:
    """References that are zero, to which no error is relative."""
    if scales.zero_references:
        named = ", ".join(f for f in scales.problem.outputs if f in scales.zero_references)
        cause = (
            f"the reference of {named} is zero, so its error is absolute (root mean square), "
            "not relative"
        )
        yield Caution("absolute_error", cause)


_RULES: tuple[Callable[[Scales], Iterator[Caution]], ...] = (
    infinite_values,
    contradictions,
    missing_conditions,
    unjoined_subdomains,
    residual_sizes,
    first_guesses,
    zero_solution,
    small_starts,
    unidentified,
    open_coefficients,
    unused_fields,
    fast_motions,
    fast_sources,
    absolute_errors,
    ends_among_layers,
)
