"""Warnings about conditions that are missing: any of several solutions may come out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from pdehvd.assembly.trust import counted_conditions, suggested_fixes
from pdehvd.assembly.trust.bare_boundaries import BarePart, bare_parts
from pdehvd.assembly.trust.caution import Caution
from pdehvd.assembly.trust.derived_fields import derived
from pdehvd.assembly.trust.problem_scales import Scales
from pdehvd.errors import counted, list_in_words


def missing_conditions(scales: Scales) -> Iterator[Caution]:
    """Fields that nothing fixes, that lack an initial value, or that a constant may be added to."""
    problem, model = scales.problem, scales.config.model
    periodic: Mapping[str, object] = getattr(model, "periodic", {})
    loose = counted_conditions.undetermined(problem)
    for group in loose:
        named = ", ".join(group)
        cause = f"no condition contains {named}, so the equations have many solutions"
        yield Caution("no_condition", cause, advice="Give conditions, data, or a hard form")
    known = {field for group in loose for field in group}
    for short in counted_conditions.shortages(problem, scales.names, periodic):
        if short.field not in known:
            yield _short(scales, short)
            known.add(short.field)
    for field in derived(problem):
        if field not in known and field not in scales.up_to_constant:
            yield _derived(field)
    yield from _bare(bare_parts(problem, scales.names, periodic), known)
    for field, along, name in counted_conditions.unjoined(problem, periodic):
        yield _unjoined(scales, field, along, name)
    for field in counted_conditions.shifted(problem):
        if field not in known and field not in scales.up_to_constant:
            yield _free_constant(field)


def _short(scales: Scales, short: counted_conditions.Shortage) -> Caution:
    """Return the warning about too few conditions along time, or of an ordinary equation."""
    low = scales.problem.domain.bounds[scales.problem.coordinates.index(short.along), 0]
    needed, derivative = counted(short.order, "condition"), f"{short.field}_{short.along}"
    start = f"{short.along} = {low:g}"
    if short.along == scales.problem.domain.time:
        cause = (
            f"the equations are of order {short.order} in {short.along} for {short.field}, which "
            f"needs {needed} at {start}, but has {short.given or 'none'}"
        )
    else:
        cause = (
            f"the equations are of order {short.order} for {short.field}, which needs {needed}, "
            f"but has {short.given or 'none'}"
        )
    values = [short.field, derivative, derivative + short.along, derivative + 2 * short.along]
    advice = f"Give {', '.join(values[: short.order])} there, or data"
    if short.along != scales.problem.domain.time:
        advice = "Give one more condition at an end, or data"
    return Caution("too_few_conditions", cause, advice=advice)


def _bare(found: Mapping[str, Sequence[BarePart]], known: Collection[str]) -> Iterator[Caution]:
    """Yield a warning for each group of fields that lack a condition on the same parts."""
    groups: dict[str, list[str]] = {}
    for field, parts in found.items():
        if field not in known:
            groups.setdefault(list_in_words([_where(part) for part in parts]), []).append(field)
    for where, fields in groups.items():
        named, have = list_in_words(fields), "has" if len(fields) == 1 else "have"
        cause = (
            f"{named} {have} no condition on {where}, but the equations contain second derivatives "
            f"of {named} across it: any values may come out there"
        )
        advice = f"Give a value there, a flux such as `{fields[0]}_n: 0`, or data"
        yield Caution("no_boundary_condition", cause, advice=advice)


def _where(part: BarePart) -> str:
    name = part.name if "=" in part.name else f"`{part.name}`"
    if part.whole:
        return name
    place = ", ".join(f"{value:.2g}" for value in part.point)
    return f"{100 * part.share:.0f}% of {name} (such as ({place}))"


def _free_constant(field: str) -> Caution:
    """Return the warning about a field with conditions on its derivatives only."""
    cause = (
        f"equations and conditions contain only derivatives of {field}, so it is determined only "
        "up to a constant"
    )
    advice = (
        f"Give {field} at one point, or its integral, if its value is of interest and not only "
        "its derivatives"
    )
    return Caution("free_constant", cause, advice=advice)


def _derived(field: str) -> Caution:
    """Return the warning about a field that an equation derives from others, without conditions."""
    cause = (
        f"no condition contains {field}, and one equation alone gives its derivatives, so a "
        "constant, or more, may be added to it"
    )
    advice = f"Give {field} on a face or at a point, or leave it out"
    return Caution("no_condition", cause, advice=advice)


def _unjoined(scales: Scales, field: str, along: str, name: str) -> Caution:
    given = scales.config.problem.conditions[name]
    listed = given.compared(scales.problem.fields)
    lines = suggested_fixes.condition(name, of=[*listed, f"{field}_{along}"])
    cause = (
        f"`{name}` joins only the values of {field} at the ends of {along}, but the equations "
        "contain its second derivative: it may have a kink there"
    )
    return Caution("periodic_slope", cause, lines)
