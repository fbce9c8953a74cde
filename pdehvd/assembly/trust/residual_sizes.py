"""Warnings before training about the sizes of fields, residuals and coordinates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import ValidationError

from pdehvd.assembly.trust import suggested_fixes
from pdehvd.assembly.trust.caution import Caution, Lines, round_to, rounded_number, shift
from pdehvd.assembly.trust.field_ranges import FieldSize
from pdehvd.assembly.trust.magnitudes import TermSize
from pdehvd.assembly.trust.problem_scales import Scales, gather_scales
from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import symbol

# A fresh network gives about 1; what it must give for the solution may lie between these.
LARGE, SMALL = 20.0, 5e-3
# Residuals, coordinates and initial guesses are compared with this.
APART = 1e3
# Terms whose weighted sizes differ by less than this are balanced.
BALANCED = 30.0
# A residual must count when it is so many times smaller, and may be so many times larger at first.
MARGIN = 1e3
# Expected range of a field around its only known value, as a part of that.
_AROUND = 0.1


def residual_sizes(scales: Scales) -> Iterator[Caution]:
    """Warnings about sizes of residuals, as they are once fields have the sizes they should have.

    A constant in a `hard` form takes its part of the residuals away, so one fix follows the other.
    """
    for caution in field_values(scales):
        yield caution
        scales = _mended(scales, caution.mend)
    yield from extreme_terms(scales)
    yield from term_balance(scales)
    yield from coordinate_extents(scales)


def _mended(scales: Scales, lines: Lines) -> Scales:
    """Return the scales of the config with a fix; the same where it cannot take it."""
    if not lines:
        return scales
    try:
        config = suggested_fixes.mended(scales.config, lines)
        problem = config.problem.build(config.sampling, config.seed)
    except (ConfigError, ValidationError):
        return scales
    return gather_scales(config, problem, scales.reference)


def field_values(scales: Scales) -> Iterator[Caution]:
    """Values of a size that a fresh network does not give."""
    output, hard = symbol("network"), scales.problem.hard
    found = [
        size
        for size in scales.fields.values()
        if unlike(size) and hard.get(size.name, output).has(output)
    ]
    if found:
        sizes = ", ".join(_size_text(size) for size in found)
        within = " within `hard`" if any(size.hard for size in found) else ""
        cause = (
            f"{sizes}, and a fresh network gives values of about 1{within}, from which training "
            "gets there slowly or not at all"
        )
        outputs = {size.name: _output(size) for size in found}
        yield Caution("field_size", cause, suggested_fixes.hard(scales.config, outputs))


def _size_text(size: FieldSize) -> str:
    if size.estimated:
        return f"{size.name} has a size of about {size.high:.1g} by {size.origin}"
    low, high = f"{size.low:.6g}", f"{size.high:.6g}"
    values = f"takes values from {low} to {high}" if low != high else f"is known to be {low} only"
    return f"{size.name} {values} ({size.origin})"


def unlike(size: FieldSize) -> bool:
    # Values that a construction scales up are small by it, and not by their unit.
    scaled = size.hard and size.estimated
    small = 0 < size.needed < SMALL and (scaled or size.largest < SMALL)
    return size.needed > LARGE or small


def _output(size: FieldSize) -> str:
    """Return the network's raw output in the units of a field: `300 + 700*network`."""
    offset, scale = needed_output(size)
    return (f"{offset:.12g} + " if offset else "") + f"{rounded_number(scale)}*network"


def needed_output(size: FieldSize) -> tuple[float, float]:
    """Return offset and size of the raw output that gives a field its values."""
    if size.hard:
        return 0.0, round_to(size.needed)
    low, high = size.low, size.high
    # Where all values have one sign, the network need not learn the one nearest to zero.
    nearest = low if low > 0.1 * high else high if high < 0.1 * low else 0.0
    scale = (high - low) if nearest and high > low else max(abs(low), abs(high))
    if size.single:
        # Without a source it is open how far the field goes from there; less than it, most likely.
        scale = size.deviation or _AROUND * scale
    return shift(nearest, scale) if nearest else 0.0, round_to(scale)


def extreme_terms(scales: Scales) -> Iterator[Caution]:
    """Residuals whose squares cannot be added in the precision of the run."""
    extreme = [term for term in scales.terms if _extreme(scales, term)]
    if extreme:
        precision = scales.config.precision
        sizes = ", ".join(f"`{term.short}` about {term.size:.1g}" for term in extreme)
        factors = ", ".join(f"`{term.short}` by {rounded_number(term.size)}" for term in extreme)
        cause = (
            f"the loss is a sum of squares, which are 0 or infinite in {precision} for residuals "
            f"of these sizes: {sizes}"
        )
        yield Caution("extreme_terms", cause, advice=f"Divide both sides of {factors}")


def _extreme(scales: Scales, term: TermSize) -> bool:
    limits = np.finfo(scales.config.precision)
    least, most = float(limits.tiny) ** 0.5, float(limits.max) ** 0.5
    return term.size > 0 and not least * MARGIN < term.size < most / MARGIN


def term_balance(scales: Scales) -> Iterator[Caution]:
    """Residuals of sizes that are far apart, or all far from 1."""
    terms = _weighed(scales)
    if not terms or any(_extreme(scales, term) for term in scales.terms):
        return
    small, large = min(terms, key=weighted), max(terms, key=weighted)
    if weighted(large) > APART * weighted(small):
        cause = (
            "the residuals have sizes far apart: "
            f"`{large.short}` about {weighted(large):.1g}, "
            f"`{small.short}` about {weighted(small):.1g}, so `{small.short}` "
            "hardly contributes to the loss"
        )
        yield Caution("term_sizes", cause, balancing(scales))
    elif weighted(large) < 1 / APART:
        cause = (
            f"all residuals are small because of their units, `{large.short}` about "
            f"{weighted(large):.1g}, so a small loss says nothing"
        )
        yield Caution("term_sizes", cause, balancing(scales))


def balancing(scales: Scales) -> suggested_fixes.Lines:
    """Return the weights 1/size^2, which give every residual the size 1."""
    return suggested_fixes.weights(
        scales.config,
        {term.name: float(rounded_number(term.size**-2)) for term in _weighed(scales)},
    )


def _weighed(scales: Scales) -> list[TermSize]:
    """Return the terms that a weight can bring to the size 1."""
    terms = [term for term in scales.terms if term.size > 0 and term.weight > 0]
    return [term for term in terms if not _extreme(scales, term)]


def weighted(term: TermSize) -> float:
    return float(term.size * term.weight**0.5)


def coordinate_extents(scales: Scales) -> Iterator[Caution]:
    """Coordinates whose extents are far apart, where that reaches the network or the loss."""
    lengths = scales.names.spans
    short, long = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
    scaled = getattr(scales.config.model, "scale_inputs", True)
    apart = lengths[long] > APART * lengths[short]
    sizes = [weighted(term) for term in scales.terms if term.size > 0 and term.weight > 0]
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
            f"Or write the problem in {short}/{rounded_number(lengths[short], 2)} and "
            f"{long}/{rounded_number(lengths[long], 2)}, which run over an interval of length 1"
        )
        yield Caution("coordinate_size", cause, balancing(scales), advice)
