"""How fast the sources of equations and conditions oscillate along the coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy

from pdehvd.assembly.trust.plausible_values import evaluated, rms
from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import partial_of, symbol
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.sequences import Sobol

Columns = Mapping[str, np.ndarray]
# Wave lengths that matter; numbers of points, and a factor between the wave numbers on them.
_FEW, _POINTS, _GROWS = 1.0, (256, 4096), 2.0


def source_wave_numbers(problem: PDEProblem, source: sympy.Expr, columns: Columns) -> np.ndarray:
    """Return rms(g_d) / rms(g) [D] of a source g of the coordinates, 0 where it has no derivative.

    For sin(k x) that is k.
    """
    result = np.zeros(len(problem.coordinates))
    try:
        size = rms(evaluated([source], columns)[0])
        for axis, name in enumerate(problem.coordinates):
            slope = source.diff(symbol(name))
            if size > 0 and not slope.has(sympy.Derivative, sympy.DiracDelta):
                result[axis] = rms(evaluated([slope], columns)[0]) / size
    except (ConfigError, ValueError, TypeError):
        return np.zeros(len(problem.coordinates))
    return result


def quickened(problem: PDEProblem, name: str, numbers: np.ndarray) -> float:
    """Return the factor by which a derivative is larger for a source of these wave numbers.

    Plausible derivatives of order k are (2/L)^k times as large as their field spans. A wave of
    amplitude 1 spans 2, and has a root mean square of 1/sqrt(2).
    """
    partial = partial_of(name, problem.fields, problem.coordinates)
    if partial is None:
        return 1.0
    lengths = np.ptp(problem.domain.bounds, axis=1)
    faster = np.prod(np.maximum(numbers * lengths / 2, 1.0) ** np.array(partial.orders))
    return max(float(faster) / 8**0.5, 1.0)


@dataclass(frozen=True)
class SourceWaves:
    """An equation whose source has so many wavelengths along a coordinate."""

    equation: str
    along: str
    count: float


def source_waves(problem: PDEProblem, columns: Columns) -> SourceWaves | None:
    """Return the equation whose source oscillates most often, None without any source."""
    lengths, found = np.ptp(problem.domain.bounds, axis=1), []
    for term in problem.blocks[0].terms:
        for expression in term.expressions:
            fields = dict.fromkeys(problem.partials(expression), 0)
            numbers = source_wave_numbers(problem, expression.subs(fields), columns)
            axis = int(np.argmax(numbers * lengths))
            count = float(numbers[axis] * lengths[axis] / (2 * np.pi))
            if count >= _FEW and _singular(problem, expression.subs(fields), axis):
                continue
            found.append((count, term.short, problem.coordinates[axis]))
    count, equation, along = max(found, default=(0.0, "", ""))
    return SourceWaves(equation, along, count) if count > 0 else None


def _singular(problem: PDEProblem, source: sympy.Expr, axis: int) -> bool:
    """Return whether the wave number of a source grows with the number of points.

    That of a wave does not; that of 1/sqrt(x) does, since some points come ever closer to 0.
    """
    numbers, region = [], problem.domain.region("interior")
    for count in _POINTS:
        total = problem.domain.count(region, count, Sobol(0))
        x = problem.domain.sample(region, Sobol(0), total, 0, total, ()).x
        columns = dict(zip(problem.coordinates, x.T, strict=True))
        columns |= {u.name: np.asarray(u.initial) for u in problem.unknowns}
        numbers.append(source_wave_numbers(problem, source, columns)[axis])
    return bool(numbers[1] > _GROWS * numbers[0])
