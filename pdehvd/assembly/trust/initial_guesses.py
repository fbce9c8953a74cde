"""Initial guesses of unknowns that no optimizer can correct in time."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pdehvd.assembly.trust.caution import Caution, rounded_number
from pdehvd.assembly.trust.plausible_values import evaluated, rms
from pdehvd.assembly.trust.problem_scales import Scales
from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import symbol
from pdehvd.problems.unknowns import Unknown
from pdehvd.spec.plain import Facts

# Factors between an initial guess and 1, between it and the truth, and between the summands that
# hold the unknown and all others: small coefficients of highest derivatives are not a mistake.
_FROM_ONE, _FROM_TRUTH, _FROM_OTHERS = 1e3, 1e3, 1e6


def first_guesses(scales: Scales) -> Iterator[Caution]:
    """Unknowns far from what the equations or the reference say, or of an unusual size."""
    for unknown in scales.problem.unknowns:
        if unknown.initial == 0:
            continue
        caution = _far(scales, unknown) or _unusual(scales, unknown)
        if caution is not None:
            yield caution


def _far(scales: Scales, unknown: Unknown) -> Caution | None:
    """Return the warning about a guess that is far from what is known."""
    true = scales.true_unknowns.get(unknown.name, 0.0)
    if true and abs(math.log(abs(true / unknown.initial))) > math.log(_FROM_TRUTH):
        better, reason = true, f"the reference says {true:.3g}"
    else:
        better, equation = _balanced(scales, unknown)
        reason = f"`{equation}` is balanced only at about {better:.1g}"
        if not better:
            return None
    cause = f"{unknown.name} starts at {unknown.initial:.3g}, and {reason}"
    if better < 0:
        return Caution("unknown_size", cause, advice="Write " + _factored(unknown, better))
    entry = {"initial": float(rounded_number(better)), "positive": True}
    return Caution("unknown_size", cause, _with(scales, unknown, entry))


def _balanced(scales: Scales, unknown: Unknown) -> tuple[float, str]:
    """Return the value at which what holds an unknown is as large as all else, 0 where it is."""
    block = scales.problem.blocks[0]
    for term in block.terms:
        for expression in term.expressions:
            name = symbol(unknown.name)
            if name not in expression.free_symbols:
                continue
            rest = expression.subs(name, 0)
            try:
                columns = scales.names.columns(block, [expression])
                others = scales.names.term_size(block, rest)
                own = rms(evaluated([expression - rest], columns)[0])
            except ConfigError:
                continue
            if others > 0 and own > 0 and not 1 / _FROM_OTHERS < others / own < _FROM_OTHERS:
                return unknown.initial * others / own, term.short
    return 0.0, ""


def _unusual(scales: Scales, unknown: Unknown) -> Caution | None:
    """Return the warning about a guess whose size is not that of an optimizer's steps."""
    size = abs(unknown.initial)
    if unknown.unsized or 1 / _FROM_ONE <= size <= _FROM_ONE:
        return None
    cause = (
        f"{unknown.name} starts at {unknown.initial:.3g}, and steps of an optimizer have the "
        f"size of its learning rate"
    )
    advice = _factored(unknown, unknown.initial)
    if unknown.initial < 0:
        return Caution("unknown_size", cause, advice=f"Write {advice}")
    entry = {"initial": unknown.initial, "positive": True}
    return Caution("unknown_size", cause, _with(scales, unknown, entry), f"Or write {advice}")


def _factored(unknown: Unknown, value: float) -> str:
    return f"`{value:.0e}*{unknown.name}` for `{unknown.name}`, with an initial guess near 1"


def _with(scales: Scales, unknown: Unknown, entry: Facts) -> Facts:
    """Return the entry `problem.unknowns` with another one of an unknown."""
    given = scales.config.problem.unknowns
    kept = {name: _plain(spec) for name, spec in given.items()}
    return {"problem": {"unknowns": kept | {unknown.name: dict(entry)}}}


def _plain(spec: object) -> object:
    dump = getattr(spec, "model_dump", None)
    return dump(mode="json", exclude_defaults=True) if dump else spec
