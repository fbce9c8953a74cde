"""References of modes with the norm that modes have: the size of a mode is a convention."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy

from pdehvd.numerics.compiling import compile_numpy
from pdehvd.problems.modes import NORM
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.reference.base import Reference


class ScaledReference(Reference):
    """The values of another reference, each field times a factor."""

    def __init__(self, reference: Reference, factors: Mapping[str, float]) -> None:
        super().__init__(reference.fields, reference.unknowns, reference.up_to_constant)
        self._reference, self._factors = reference, factors

    def evaluate(self, points: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return the fields at float64 points [N, D], each [N]."""
        values = self._reference.evaluate(points)
        return {name: self._factors.get(name, 1.0) * values[name] for name in self.fields}


def with_the_norm_of_modes(reference: Reference, problem: PDEProblem) -> Reference:
    """Return a reference whose modes fulfil the condition `norm`; without modes it is unchanged."""
    factors: dict[str, float] = {}
    for block in problem.blocks if problem.up_to_sign else ():
        if block.name != NORM:
            continue
        items = block.source.items(0, 0, 1)
        known = dict(zip(problem.coordinates, items.x.T, strict=True)) | dict(items.extras)
        known |= reference(items.x)
        norms = block.terms[0].expressions
        count = len(problem.up_to_sign) // len(norms)
        for number, norm in enumerate(norms):
            outputs = problem.up_to_sign[count * number : count * (number + 1)]
            factors |= dict.fromkeys(outputs, _factor(norm, known, problem))
    return ScaledReference(reference, factors) if factors else reference


def _factor(norm: sympy.Expr, known: Mapping[str, np.ndarray], problem: PDEProblem) -> float:
    """Return the factor with which a mode fulfils a norm; 1 where that is not known.

    The residual is linear in the square of the mode.
    """
    if not {free.name for free in norm.free_symbols} <= set(known):
        return 1.0
    fields = {one: sympy.S.Zero for one in problem.language.partials(norm)}
    with np.errstate(all="ignore"):
        own, zero = (
            np.sum(np.broadcast_to(value, len(known[problem.coordinates[0]])))
            for value in compile_numpy([norm, norm.xreplace(fields)], list(known))(known)
        )
        factor = float(1 / np.sqrt(1 - own / zero))
    return factor if np.isfinite(factor) else 1.0
