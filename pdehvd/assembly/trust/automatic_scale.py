"""`scale: auto`: sizes of fields, terms and unknowns from the problem itself, before training.

A reference has no part in it: its values are not known before the problem is solved.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import sympy

from pdehvd.assembly.trust.caution import round_to
from pdehvd.assembly.trust.field_ranges import (
    REFERENCE_POINTS,
    TINY,
    FieldSize,
    plausible,
    raw_range,
)
from pdehvd.assembly.trust.magnitudes import (
    TermSize,
    field_sizes,
    imposed_values,
    term_sizes,
)
from pdehvd.assembly.trust.ode_growth import grown
from pdehvd.assembly.trust.plausible_values import Plausible, evaluated, rms
from pdehvd.assembly.trust.residual_sizes import (
    APART,
    BALANCED,
    LARGE,
    SMALL,
    needed_output,
    unlike,
)
from pdehvd.assembly.trust.weak_terms import STRONG, weak_data, weak_norms
from pdehvd.assembly.trust.well_posedness import determined
from pdehvd.config.root import Config
from pdehvd.errors import ConfigError, within
from pdehvd.numerics.expressions import symbol
from pdehvd.problems.block import Block
from pdehvd.problems.evaluation import evaluation_points
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.scale import UNSCALED, FieldScale, ScaleSpec, spec_of
from pdehvd.problems.unknowns import Unknown


def scaled(config: Config) -> Config:
    """Return a config whose `problem.scale` has no open parts.

    What has a usual size is left as it is. Sizes depend on the config only, and not on the number
    of processes. Raises `ConfigError` where the problem cannot be built.
    """
    spec = spec_of(config.problem.scale)
    if not spec.open:
        return config
    try:
        # Estimates may overflow; what is not finite is left out of them.
        with np.errstate(all="ignore"):
            known = _Known(config, spec)
            spec = spec.completed(fields=known.fields(), unknowns=known.unknowns())
            if spec.notes():
                known = _Known(config, spec)
            return _with(config, spec.completed(terms=known.terms()))
    except ConfigError:
        raise
    except Exception:
        # The warnings, which use the same estimates, then say that they cannot be made.
        return _with(config, spec.completed(fields={}, terms={}, unknowns={}))


def _with(config: Config, spec: ScaleSpec) -> Config:
    scale = spec if spec.notes() else "none"
    problem = config.problem.model_copy(update={"scale": scale})
    return config.model_copy(update={"problem": problem})


class _Known:
    """What is known of a problem with the sizes that it has so far."""

    def __init__(self, config: Config, spec: ScaleSpec) -> None:
        own = config.problem.model_copy(update={"scale": spec})
        self.problem: PDEProblem = own.build(config.sampling, config.seed)
        self.conditions = own.conditions
        with within("weighting"):
            self.weights = config.weighting.initial(self.problem.terms)
        imposed = imposed_values(self.problem, None)
        self.sizes = field_sizes(self.problem, imposed + grown(self.problem, imposed))
        self.names: Plausible = plausible(self.problem, self.sizes)

    def fields(self) -> dict[str, float | FieldScale]:
        """Return the scales of fields whose network would have to give unusual values."""
        found: dict[str, float | FieldScale] = {}
        for field in self.problem.fields:
            size = self.sizes.get(field)
            # What is not linear in the output, as exp(network), has no unit to be scaled by.
            slope = self.problem.hard.get(field, _OUTPUT).diff(_OUTPUT)
            if slope == 0 or slope.has(_OUTPUT):
                continue
            if size is not None and size.needed > 0:
                if unlike(size):
                    found[field] = _field_scale(size)
                continue
            in_form = field in self.problem.hard
            estimate = self._formed(field) if in_form else self._balanced(field)
            if estimate and not SMALL <= estimate <= LARGE:
                found[field] = round_to(estimate)
        return found

    def _formed(self, field: str) -> float:
        """Return the output for which the network adds as much as its `hard` form varies."""
        x = evaluation_points(self.problem.domain, REFERENCE_POINTS)
        base, reach = raw_range(self.problem, field, x)
        base = base[np.isfinite(base)]
        return rms(base - base.mean()) / max(rms(reach), TINY) if base.size else 0.0

    def _balanced(self, field: str) -> float:
        """Return the size at which what holds a field is as large as all else, 0 if unknown."""
        found = []
        for block, expression in self._residuals():
            partials = self.problem.partials(expression)
            own = {one: 0 for one, partial in partials.items() if partial.field == field}
            others = {p.field for p in partials.values()} - {field}
            if not own or any(not self._is_known(other) for other in others):
                continue
            try:
                rest = expression.subs(own)
                whole = self.names.term_size(block, rest) if rest != 0 else 0.0
                effects = self.names.effects(block, expression)
            except ConfigError:
                continue
            added = max(abs(effects[one.name]) for one in own)
            if whole > 0 and added > 0:
                found.append(whole / added)
        return max(found, default=0.0)

    def _is_known(self, field: str) -> bool:
        size = self.sizes.get(field)
        return size is not None and size.largest > 0

    def _residuals(self) -> Iterator[tuple[Block, sympy.Expr]]:
        for block in self.problem.blocks:
            for term in block.terms:
                for expression in term.expressions:
                    yield block, expression

    def unknowns(self) -> dict[str, float]:
        """Return the sizes of unknowns that are far from 1."""
        found = {}
        for unknown in self.problem.unknowns:
            size = 0.0 if unknown.unsized else abs(unknown.initial) or self._step(unknown)
            if size and not 1 / APART <= size <= APART:
                found[unknown.name] = round_to(size)
        return found

    def _step(self, unknown: Unknown) -> float:
        """Return the size at which an unknown that starts at 0 counts, 0 where that is open."""
        found = []
        name = symbol(unknown.name)
        for block, expression in self._residuals():
            if name not in expression.free_symbols:
                continue
            try:
                columns = self.names.columns(block, [expression])
                rest = self.names.term_size(block, expression.subs(name, 0))
                one = expression.subs(name, 1) - expression.subs(name, 0)
                added = rms(evaluated([one], columns)[0])
            except ConfigError:
                continue
            if rest > 0 and added > 0:
                found.append(rest / added)
        return min(found, default=0.0)

    def terms(self) -> dict[str, float | list[float]]:
        """Return the sizes of all terms where they are far apart, or all far from 1.

        Terms that must not be given up are made larger, also where all others stay as they are.
        """
        every = term_sizes(self.problem, self.names, self.weights, UNSCALED)
        terms = [term for term in every if 0 < term.size < math.inf and term.weight > 0]
        left = determined(self.problem)
        weak = weak_norms(self.problem, self.conditions, left, terms) + weak_data(left, terms)
        uneven, short = _uneven(terms), [term.short for term in terms]
        return {
            term.short if short.count(term.short) == 1 else term.name: _divisors(
                term, uneven, STRONG if term in weak else 1.0
            )
            for term in terms
            if uneven or term in weak
        }


def _uneven(terms: Sequence[TermSize]) -> bool:
    """Return whether weighted sizes of residuals are far apart, or all far from 1."""
    own = [part * term.weight**0.5 for term in terms for part in term.parts if part > 0]
    if not own:
        return False
    return max(own) > BALANCED * min(own) or not 1 / APART <= max(own) <= APART


def _divisors(term: TermSize, uneven: bool, weight: float) -> float | list[float]:
    """Return what gives all weighted residuals the size sqrt(weight), or only the weight."""
    own = term.weight**0.5
    sizes = [(part or term.size) * own if uneven else 1.0 for part in term.parts]
    found = [round_to(size / weight**0.5) for size in sizes]
    return found[0] if len(set(found)) == 1 else found


_OUTPUT = symbol("network")


def _field_scale(size: FieldSize) -> float | FieldScale:
    offset, own = needed_output(size)
    return FieldScale(offset=offset, size=own) if offset else own
