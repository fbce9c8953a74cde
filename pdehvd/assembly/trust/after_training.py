"""Warnings after training: answers that look right but are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from pdehvd.assembly.trust import suggested_fixes
from pdehvd.assembly.trust.against_integration import unlike_integration
from pdehvd.assembly.trust.caution import Caution
from pdehvd.assembly.trust.field_ranges import FieldSize
from pdehvd.assembly.trust.free_factors import unfixed_factors
from pdehvd.assembly.trust.modes_alike import modes_alike
from pdehvd.assembly.trust.residual_sizes import balancing
from pdehvd.assembly.trust.trained_state import WRONG, Result, error_measure
from pdehvd.assembly.trust.weak_terms import STRONG
from pdehvd.numerics.expressions import partial_of

# Relative residuals that look right, and that are on their way.
CONVERGED, SMALL = 1e-2, 5e-2
# Fresh residuals over trained ones, and over the size of the term.
OVERFITTED, VISIBLE = 10.0, 2e-2
# Factor from its initial guess at which an unknown has run away; share by which it has moved.
AWAY, MOVED = 1e6, 1e-4
# Share of its range beyond which an unknown lies at its edge.
EDGE = 0.98
# The same factor for unknowns of which only a combination is determined.
SHIFTED = 100.0
# Below so many steps a run is only short.
ENOUGH_STEPS = 1000
# Residual over its natural size that is no solution, and steps before which that says little.
UNSOLVED, SOME_STEPS = 0.1, 500
# Shares of what is asked for: a field that is constant, or zero, and on how much of the domain.
FLAT, NOTHING = 1e-2, 2e-2
EVERYWHERE = 0.8
# What must be constant may vary, and what must keep its size may shrink, by so much.
VARIES, FADED = 0.05, 0.5
# Residual of a condition over its size, and of the equations close to it over theirs.
VIOLATED, LAYER = 0.3, 3.0


def after_training(result: Result) -> list[Caution]:
    """Return all warnings about a trained state."""
    found = [caution for rule in _RULES for caution in rule(result)]
    return found or list(unsolved(result))


def unsolved(result: Result) -> Iterator[Caution]:
    """Equations and conditions that do not hold, where no other rule says why."""
    worst: dict[str, tuple[float, str]] = {}
    count = Counter(part.term for part in result.parts)
    for part in result.parts if result.steps >= SOME_STEPS else ():
        share = part.residual / part.size if part.size else 0.0
        if share > max(UNSOLVED, worst.get(part.term, (0.0, ""))[0]):
            fields = f" for {', '.join(part.fields)}" if count[part.term] > 1 else ""
            worst[part.term] = share, f"`{part.term.split('/')[-1]}`{fields} {share:.0%}"
    if worst:
        shares = ", ".join(text for _, text in sorted(worst.values(), reverse=True))
        cause = (
            "the result does not solve the problem: residuals are still large, relative to the "
            f"largest summand of each ({shares})"
        )
        advice = "Train longer, or with a larger network; the conditions may contradict each other"
        if any(unknown.eigenvalue for unknown in result.scales.problem.unknowns):
            advice += ", and a guess far from every eigenvalue may end between two of them"
        yield Caution("unsolved", cause, advice=advice)


def wrong_answer(result: Result) -> Iterator[Caution]:
    """A large error with small residuals."""
    wrong = {field: error for field, error in result.errors.items() if error > WRONG}
    small = all(not result.relative(term) > CONVERGED for term in result.residuals)
    if wrong and small:
        shares = ", ".join(_share(result, *one) for one in wrong.items())
        cause = (
            f"the answer is wrong although the loss is small: it differs from the reference "
            f"({shares}), while all residuals are below {CONVERGED:.0%} of their natural sizes"
        )
        yield Caution("wrong_answer", cause, result.remedy(_more_points(result)))


def _share(result: Result, name: str, error: float) -> str:
    relative_to = error_measure(name, result.scales.offset_references.keys())
    return f"{name} by {error:.0%} of its {relative_to}"


def overfitted(result: Result) -> Iterator[Caution]:
    """Residuals that are small at the trained points alone."""
    worst, ratio = "", OVERFITTED
    for term, residual in result.residuals.items():
        own = residual.fresh / max(residual.trained, 1e-300)
        if own > ratio and result.relative(term, fresh=True) > VISIBLE:
            worst, ratio = term, own
    if worst:
        residual = result.residuals[worst]
        cause = (
            f"`{worst.split('/')[-1]}` holds at the training points only: its residual is "
            f"{residual.trained:.1e} there and {residual.fresh:.1e} at fresh points"
        )
        yield Caution("overfitted", cause, result.remedy(_more_points(result)))


def _more_points(result: Result) -> suggested_fixes.Lines:
    """Return the sampling with four times as many points, drawn again now and then."""
    config = result.scales.config
    own = config.sampling
    counts = {"equations": 4 * own.equations}
    if isinstance(own.conditions, int):
        counts["conditions"] = 4 * own.conditions
    if own.name != "rad" and own.resample_every is None:
        counts["resample_every"] = 500
    return suggested_fixes.sampling(config, **counts)


def unknowns_at_edges(result: Result) -> Iterator[Caution]:
    """Unknowns that ran away, or did not move."""
    freedom = result.scales.freedom
    loose = freedom.names if freedom else ()
    known = {one.name: one for one in result.scales.problem.unknowns}
    for name, (first, found) in result.unknowns.items():
        ratio = abs(found / first) if first else 1.0
        distance = known[name].within
        if distance and abs(found - first) > EDGE * distance:
            cause = (
                f"{name} = {found:.6g} lies at the edge of its range, {first:.6g} +- {distance:.4g}"
            )
            advice = f"Give {name} another `initial`, or a larger `within`"
            yield Caution("unknown_edge", cause, advice=advice)
            continue
        if freedom and name in loose and not 1 / SHIFTED < ratio < SHIFTED:
            # No weight fixes what the equations leave free.
            free = unfixed_factors(result.scales.problem, freedom)
            cause = f"{name} ran from {first:.3g} to {found:.3g}: {free.cause}"
            yield Caution("unknown_edge", cause, advice=free.advice)
            continue
        if not 1 / AWAY < ratio < AWAY:
            cause = (
                f"{name} ran from {first:.3g} to {found:.3g}: the equations "
                "hardly depend on it there, so this value is meaningless"
            )
        elif known[name].eigenvalue or not first or result.steps < ENOUGH_STEPS:
            continue
        elif abs(found / first - 1) < MOVED:
            cause = f"{name} has not moved from its initial guess {first:.3g}"
        else:
            continue
        yield Caution("unknown_edge", cause, result.remedy(balancing(result.scales)))


def constant_fields(result: Result) -> Iterator[Caution]:
    """Fields that are constant where conditions, data or the reference ask for more."""
    for name, size in result.scales.fields.items():
        asked = size.high - size.low
        zero = result.scales.open.zero_solves and _zero_share(result, size) > EVERYWHERE
        flat = result.variation(name) < FLAT * asked
        if asked > 0 and flat and not zero and result.steps >= ENOUGH_STEPS:
            expected = (
                f"{size.origin} gives it a size of about {size.high:.1g}"
                if size.estimated
                else f"values from {size.low:.6g} to {size.high:.6g} are expected ({size.origin})"
            )
            mean = result.values[name].mean()
            cause = f"{name} is constant over the domain ({mean:.3g}), while {expected}"
            yield Caution("constant", cause, result.remedy(balancing(result.scales)))


def zero_fields(result: Result) -> Iterator[Caution]:
    """Fields that vanish almost everywhere where zero solves the equations."""
    open_ = result.scales.open
    if not open_.zero_solves or result.steps < ENOUGH_STEPS:
        return
    wrong = [term for term in open_.against_zero if _ignored(result, term)]
    for name, size in result.scales.fields.items():
        share = _zero_share(result, size)
        if wrong and size.largest > 0 and share > EVERYWHERE:
            terms = ", ".join(f"`{term}`" for term in wrong)
            cause = (
                f"{name} is zero on {share:.0%} of the domain: zero solves the equations, and "
                f"{terms} is not met, or only close to its points"
            )
            weights = {term: STRONG for term in wrong}
            lines = suggested_fixes.weights(result.scales.config, weights)
            yield Caution("zero", cause, result.remedy(lines))


def _zero_share(result: Result, size: FieldSize) -> float:
    """Return the share of the domain on which a field is nearly zero."""
    return float((abs(result.values[size.name]) < NOTHING * size.largest).mean())


def _ignored(result: Result, condition: str) -> bool:
    """Return whether a condition is violated, or left within a thin layer."""
    term = next(t for t in result.residuals if t.split("/")[-1] == condition)
    return result.relative(term) > VIOLATED or result.layers.get(condition, 0.0) > LAYER


def faded(result: Result) -> Iterator[Caution]:
    """Fields that shrink with time although they are only carried around a periodic domain."""
    config = result.scales.config
    around = {spec.joined for spec in config.problem.conditions.values()}
    around |= set(getattr(config.model, "periodic", {}))
    for motion in result.scales.motions:
        if not motion.kept or motion.along not in around:
            continue
        sizes = result.sizes_in_time(motion.field)
        trained = result.relative(f"equation/{motion.equation}") < SMALL
        if trained and min(sizes) < FADED * sizes[0]:
            cause = (
                f"{motion.field} shrinks to {min(sizes) / sizes[0]:.0%} of its initial size, "
                f"while `{motion.equation}` only transports it: the initial values fade"
            )
            yield Caution("faded", cause, result.remedy({}))


def varying_constants(result: Result) -> Iterator[Caution]:
    """Fields that an equation asks to be constant along a coordinate, and that are not."""
    problem = result.scales.problem
    for term in problem.blocks[0].terms:
        for expression in term.expressions:
            partial = partial_of(str(expression), problem.fields, problem.coordinates)
            if not expression.is_Symbol or partial is None or sum(partial.orders) != 1:
                continue
            along = problem.coordinates[partial.orders.index(1)]
            varies = result.along(partial.field, along)
            if varies > VARIES:
                short = term.short
                cause = (
                    f"{partial.field} must not depend on {along} (`{short}`), but varies along it "
                    f"by {varies:.0%} of its size"
                )
                yield Caution(
                    "not_constant",
                    cause,
                    suggested_fixes.weights(result.scales.config, {term.name: STRONG}),
                )


def meeting_conditions(result: Result) -> Iterator[Caution]:
    """Conditions that differ where they meet, where the result is wrong or overfitted."""
    doubtful = any(True for rule in (wrong_answer, overfitted) for _ in rule(result))
    for clash in result.scales.clashes if doubtful else ():
        place = ", ".join(
            f"{name} = {value:.3g}"
            for name, value in zip(result.scales.problem.coordinates, clash.place, strict=True)
        )
        first, second = clash.origins
        cause = (
            f"{first} and {second} prescribe different values of {clash.field} where they meet "
            f"({clash.values[0]:.3g} and {clash.values[1]:.3g} near {place}), and a network is "
            "continuous"
        )
        advice = "Blend one smoothly into the other, or end one of them shortly before"
        yield Caution("meeting", cause, advice=advice)


def open_levels(result: Result) -> Iterator[Caution]:
    """Fields that are far from the reference and determined up to a constant only."""
    problem = result.scales.problem
    for field in result.scales.open.levels:
        if not result.errors.get(field, 0.0) > WRONG:
            continue
        cause = f"only derivatives of {field} occur, so it is determined only up to a constant"
        corner = dict(zip(problem.coordinates, result.points[0].tolist(), strict=True))
        level = {} if problem.domain.time else {"at": corner, "equal": {field: 0}}
        lines = suggested_fixes.condition(f"{field}_level", **level) if level else {}
        yield Caution("level", cause, lines, f"Or `up_to_constant: [{field}]` in the reference")


_RULES: tuple[Callable[[Result], Iterator[Caution]], ...] = (
    wrong_answer,
    overfitted,
    unknowns_at_edges,
    modes_alike,
    constant_fields,
    zero_fields,
    faded,
    varying_constants,
    meeting_conditions,
    open_levels,
    unlike_integration,
)
