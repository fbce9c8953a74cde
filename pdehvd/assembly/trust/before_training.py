"""Warnings before training: sizes, and problems that nothing determines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pdehvd.assembly.trust import suggested_fixes
from pdehvd.assembly.trust.caution import Caution, number, shift
from pdehvd.assembly.trust.contradictions import contradictions
from pdehvd.assembly.trust.fast_motions import fast_motions, fast_sources
from pdehvd.assembly.trust.initial_guesses import first_guesses
from pdehvd.assembly.trust.magnitudes import FieldSize, TermSize
from pdehvd.assembly.trust.missing_conditions import missing_conditions
from pdehvd.assembly.trust.problem_scales import Scales
from pdehvd.numerics.expressions import symbol

# A fresh network gives about 1; what it must give for the solution may lie between these.
LARGE, SMALL = 20.0, 5e-3
# Residuals, coordinates and initial guesses are compared with this.
APART = 1e3
# Terms whose weighted sizes differ by less than this are balanced.
BALANCED = 30.0
# Weight of terms that must not be given up.
STRONG = 100.0


def before_training(scales: Scales) -> list[Caution]:
    """Return all warnings about a problem that is not trained yet."""
    return [caution for rule in _RULES for caution in rule(scales)]


def field_values(scales: Scales) -> Iterator[Caution]:
    """Values of a size that a fresh network does not give."""
    output, hard = symbol("network"), scales.problem.hard
    unlike = [
        size
        for size in scales.fields.values()
        if _unlike(size) and hard.get(size.name, output).has(output)
    ]
    if unlike:
        sizes = ", ".join(_size_text(size) for size in unlike)
        within = " within `hard`" if any(size.hard for size in unlike) else ""
        cause = (
            f"{sizes}, and a fresh network gives values of about 1{within}, from which training "
            "gets there slowly or not at all"
        )
        outputs = {size.name: _output(size) for size in unlike}
        yield Caution("field_size", cause, suggested_fixes.hard(scales.config, outputs))


def _size_text(size: FieldSize) -> str:
    if size.estimated:
        return f"{size.name} has a size of about {size.high:.1g} by {size.origin}"
    return f"{size.name} takes values from {size.low:.6g} to {size.high:.6g} ({size.origin})"


def _unlike(size: FieldSize) -> bool:
    # Values that a construction scales up are small by it, and not by their unit.
    scaled = size.hard and size.estimated
    small = 0 < size.needed < SMALL and (scaled or size.largest < SMALL)
    return size.needed > LARGE or small


def _output(size: FieldSize) -> str:
    """Return the network's raw output in the units of a field: `300 + 700*network`."""
    if size.hard:
        return f"{number(size.needed)}*network"
    low, high = size.low, size.high
    # Where all values have one sign, the network need not learn the one nearest to zero.
    nearest = low if low > 0.1 * high else high if high < 0.1 * low else 0.0
    scale = (high - low) if nearest and high > low else max(abs(low), abs(high))
    return (f"{shift(nearest, scale)} + " if nearest else "") + f"{number(scale)}*network"


def term_balance(scales: Scales) -> Iterator[Caution]:
    """Residuals of sizes that are far apart, or all far from 1."""
    terms = [term for term in scales.terms if term.size > 0 and term.weight > 0]
    if not terms:
        return
    small, large = min(terms, key=_weighted), max(terms, key=_weighted)
    if _weighted(large) > APART * _weighted(small):
        cause = (
            f"the residuals have sizes far apart: `{_short(large)}` about {_weighted(large):.1g}, "
            f"`{_short(small)}` about {_weighted(small):.1g}, so `{_short(small)}` "
            "hardly contributes to the loss"
        )
        yield Caution("term_sizes", cause, balancing(scales))
    elif _weighted(large) < 1 / APART:
        cause = (
            f"all residuals are small because of their units, `{_short(large)}` about "
            f"{_weighted(large):.1g}, so a small loss says nothing"
        )
        yield Caution("term_sizes", cause, balancing(scales))


def balancing(scales: Scales) -> suggested_fixes.Lines:
    """Return the weights 1/size^2, which give every residual the size 1."""
    terms = [term for term in scales.terms if term.size > 0 and term.weight > 0]
    return suggested_fixes.weights(
        scales.config, {term.name: float(number(term.size**-2)) for term in terms}
    )


def _weighted(term: TermSize) -> float:
    return float(term.size * term.weight**0.5)


def _short(term: TermSize) -> str:
    return term.name.split("/")[-1]


def coordinate_extents(scales: Scales) -> Iterator[Caution]:
    """Coordinates whose extents are far apart, where that reaches the network or the loss."""
    lengths = scales.names.spans
    short, long = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
    scaled = getattr(scales.config.model, "scale_inputs", True)
    apart = lengths[long] > APART * lengths[short]
    sizes = [_weighted(term) for term in scales.terms if term.size > 0 and term.weight > 0]
    uneven = len(sizes) > 1 and max(sizes) > BALANCED * min(sizes)
    spans = f"{short} spans {lengths[short]:.3g} and {long} spans {lengths[long]:.3g}"
    if not scaled and (apart or lengths[long] > APART or lengths[short] < 1 / APART):
        cause = f"{spans}, and the network does not scale its inputs"
        yield Caution(
            "coordinate_size", cause, suggested_fixes.model(scales.config, scale_inputs=True)
        )
    elif apart and uneven:
        cause = f"{spans}, so derivatives with respect to them, and residuals, differ as much"
        advice = (
            f"Or write the problem in {short}/{number(lengths[short], 2)} and "
            f"{long}/{number(lengths[long], 2)}, which run over an interval of length 1"
        )
        yield Caution("coordinate_size", cause, balancing(scales), advice)


def zero_solution(scales: Scales) -> Iterator[Caution]:
    """Eigenproblems, which zero solves but for an integral at most."""
    if not scales.open.zero_solves or not scales.problem.unknowns:
        return
    against, given = scales.open.against_zero, scales.config.problem.conditions
    if not against:
        cause = "zero solves the equations and all conditions, whatever the unknowns are"
        integral = {"integral": f"{scales.problem.fields[0]}^2", "equal": 1}
        yield Caution("zero", cause, suggested_fixes.condition("norm", **integral))
    elif all(given[name].averaged for name in against):
        weak = [name for name in against if _weight(scales, name) < STRONG]
        if weak:
            named = ", ".join(f"`{name}`" for name in weak)
            cause = f"zero solves the equations, and only {named} excludes that"
            weights = {name: STRONG for name in weak}
            yield Caution("zero", cause, suggested_fixes.weights(scales.config, weights))


def _weight(scales: Scales, name: str) -> float:
    return next((term.weight for term in scales.terms if _short(term) == name), 1.0)


def unidentified(scales: Scales) -> Iterator[Caution]:
    """Unknowns that nothing determines, and those that cannot be distinguished."""
    unknowns = ", ".join(unknown.name for unknown in scales.problem.unknowns)
    if scales.unmeasured and not (scales.open.zero_solves and not scales.open.against_zero):
        cause = (
            f"nothing determines {unknowns}: there are only as many conditions at the ends of the "
            "coordinates as the equation needs, and they can be met for any value"
        )
        yield Caution("unidentified", cause, advice="Give data, or one more condition")
    elif scales.entangled:
        named = " and ".join(scales.entangled)
        cause = (
            f"{named} cannot be distinguished: equations and conditions contain the same "
            "combination of them, so other values fit as well"
        )
        yield Caution("unidentified", cause, advice="Make one of them a constant")


def open_coefficients(scales: Scales) -> Iterator[Caution]:
    """Fields in no condition that the equations hold as factors only."""
    terms = [term for term in scales.terms if not term.name.startswith("equation/")]
    weak = {term.name: STRONG for term in terms if term.weight < STRONG / 3}
    if not scales.open.coefficients or not weak:
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


def absolute_errors(scales: Scales) -> Iterator[Caution]:
    """References that are zero, to which no error is relative."""
    if scales.zero_references:
        named = ", ".join(f for f in scales.problem.fields if f in scales.zero_references)
        cause = (
            f"the reference of {named} is zero, so its error is absolute (root mean square), "
            "not relative"
        )
        yield Caution("absolute_error", cause)


_RULES: tuple[Callable[[Scales], Iterator[Caution]], ...] = (
    contradictions,
    missing_conditions,
    field_values,
    term_balance,
    coordinate_extents,
    first_guesses,
    zero_solution,
    unidentified,
    open_coefficients,
    unused_fields,
    fast_motions,
    fast_sources,
    absolute_errors,
    ends_among_layers,
)
