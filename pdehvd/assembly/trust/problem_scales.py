"""All that is known of a problem before training, gathered once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pdehvd.assembly.trust.condition_conflicts import Clash, clashes
from pdehvd.assembly.trust.field_ranges import FieldSize, plausible
from pdehvd.assembly.trust.freedom import Freedom, freedom
from pdehvd.assembly.trust.identifiability import unmeasured
from pdehvd.assembly.trust.magnitudes import TermSize, field_sizes, imposed_values, term_sizes
from pdehvd.assembly.trust.ode_growth import grown
from pdehvd.assembly.trust.plausible_values import Plausible, columns_of, items_of, rms
from pdehvd.assembly.trust.source_waves import SourceWaves, source_waves
from pdehvd.assembly.trust.transport_speeds import Motion, motions
from pdehvd.assembly.trust.well_posedness import Determined, determined
from pdehvd.config.root import Config
from pdehvd.problems.evaluation import evaluation_points
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.scale import spec_of
from pdehvd.reference.base import Reference

_POINTS = 512
# Mean of a reference over its deviation from it, beyond which an error relative to its size hides
# what the field does; and the least deviation, in units of the last place.
_OFFSET, _ROUNDING = 10.0, 32.0


@dataclass(frozen=True)
class Scales:
    """Sizes of a problem's fields, terms and motions; pure numbers, the same on every process."""

    config: Config
    problem: PDEProblem
    reference: Reference | None
    fields: Mapping[str, FieldSize]
    names: Plausible
    terms: tuple[TermSize, ...]
    motions: tuple[Motion, ...]
    waves: SourceWaves | None
    open: Determined
    clashes: tuple[Clash, ...]
    true_unknowns: Mapping[str, float]
    up_to_constant: tuple[str, ...]
    zero_references: frozenset[str]
    offset_references: Mapping[str, float]
    freedom: Freedom | None
    unmeasured: bool


def gather_scales(config: Config, problem: PDEProblem, reference: Reference | None) -> Scales:
    """Return the scales of a problem with its reference, if it has one."""
    imposed = imposed_values(problem, reference)
    if not any(value.known for value in imposed):
        imposed += grown(problem, imposed)
    fields = field_sizes(problem, imposed)
    names = plausible(problem, fields)
    weights = config.weighting.initial(problem.terms)
    terms = term_sizes(problem, names, weights, spec_of(config.problem.scale))
    known = [name for name, size in fields.items() if size.largest > 0]
    moves = motions(problem, names, known)
    interior = columns_of(problem, items_of(problem.blocks[0]))
    waves = source_waves(problem, interior)
    met, left = clashes(problem, imposed), determined(problem)
    unfixed, loose = freedom(problem, names, left.coefficients), unmeasured(problem)
    true = {} if reference is None else reference.unknowns
    free = () if reference is None else reference.up_to_constant
    zero = zero_references(problem, reference)
    return Scales(
        config,
        problem,
        reference,
        fields,
        names,
        terms,
        moves,
        waves,
        left,
        met,
        true,
        free,
        zero,
        offset_references(config, problem, reference),
        unfixed,
        loose,
    )


def zero_references(problem: PDEProblem, reference: Reference | None) -> frozenset[str]:
    """Return the fields whose reference is zero wherever it is known."""
    known = _known(problem, reference)
    return frozenset(field for field, own in known.items() if own.size and not own.any())


def offset_references(
    config: Config, problem: PDEProblem, reference: Reference | None
) -> dict[str, float]:
    """Return size over standard deviation of the references that deviate little from their mean.

    Deviations that are rounding errors in the precision of the run are none.
    """
    least = _ROUNDING * float(np.finfo(config.precision).eps)
    found = {}
    for field, own in _known(problem, reference).items():
        size, deviation = rms(own), rms(own - own.mean()) if own.size else 0.0
        if least * size < deviation and abs(own.mean()) > _OFFSET * deviation:
            found[field] = size / deviation
    return found


def _known(problem: PDEProblem, reference: Reference | None) -> dict[str, np.ndarray]:
    """Return the values [n] of a reference at points where it is known."""
    if reference is None:
        return {}
    values = reference(evaluation_points(problem.domain, _POINTS))
    return {field: own[np.isfinite(own)] for field, own in values.items()}
