"""Sizes to which the solution of ordinary equations grows from its start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import sympy
from scipy.integrate import solve_ivp

from pdehvd.assembly.trust.field_ranges import raw_range
from pdehvd.assembly.trust.magnitudes import Imposed
from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import compile_numpy, symbol
from pdehvd.problems.pde import PDEProblem

# An order of magnitude is asked for: the solver is stopped after so many evaluations.
_EVALUATIONS, _TOLERANCE, _TIMES = 20_000, 1e-3, 64


class _TooLongError(Exception):
    """The solution takes too many evaluations, or its derivatives cannot be solved for."""


def grown(problem: PDEProblem, imposed: Sequence[Imposed]) -> list[Imposed]:
    """Return values of the solution of a first-order system in one coordinate, from its start.

    Empty where the system has unknowns, has no start for a field, or cannot be solved.
    """
    if len(problem.coordinates) != 1 or problem.unknowns:
        return []
    start = _start(problem, imposed)
    slopes = _slopes(problem)
    if start is None or slopes is None:
        return []
    low, high = problem.domain.bounds[0].tolist()
    times = np.linspace(low, high, _TIMES)
    try:
        with np.errstate(all="ignore"):
            solved = solve_ivp(
                slopes, (low, high), start, method="LSODA", t_eval=times, rtol=_TOLERANCE
            )
    except (_TooLongError, ConfigError, np.linalg.LinAlgError):
        return []
    if not solved.success or not np.isfinite(solved.y).all():
        return []
    names = ", ".join(f"`{term.name.split('/')[-1]}`" for term in problem.blocks[0].terms)
    origin = f"{names} from the start on"
    return [
        Imposed(field, times[:, None], values, origin, known=True)
        for field, values in zip(problem.fields, solved.y, strict=True)
    ]


def _start(problem: PDEProblem, imposed: Sequence[Imposed]) -> np.ndarray | None:
    """Return the values of all fields at the low end, None where one is missing."""
    low = problem.domain.bounds[:, :1]
    found = []
    for field in problem.fields:
        base, reach = raw_range(problem, field, low)
        if field in problem.hard and np.abs(reach).max() == 0:
            found.append(base[0])
            continue
        values = [e.values[np.isclose(e.x[:, 0], low[0, 0])] for e in imposed if e.field == field]
        known = np.concatenate([*values, np.zeros(0)])
        if not known.size:
            return None
        found.append(known[0])
    return np.array(found)


def _slopes(problem: PDEProblem) -> Callable[[float, np.ndarray], np.ndarray] | None:
    """Return the derivatives of all fields as a function of time and fields, if there is one.

    The residuals R(t, f, f') are linear in f', so that f' solves M f' = -R(t, f, 0).
    """
    (time,) = problem.coordinates
    expressions = [e for term in problem.blocks[0].terms for e in term.expressions]
    rates = [symbol(f"{field}_{time}") for field in problem.fields]
    allowed = {str(rate) for rate in rates} | {*problem.fields, time}
    names = {str(free) for expression in expressions for free in expression.free_symbols}
    if len(expressions) != len(rates) or not names <= allowed:
        return None
    matrix = [[sympy.diff(expression, rate) for rate in rates] for expression in expressions]
    if any(entry.free_symbols & set(rates) for row in matrix for entry in row):
        return None
    rest = [expression.subs(dict.fromkeys(rates, 0)) for expression in expressions]
    return _Slopes(problem, [entry for row in matrix for entry in row], rest)


class _Slopes:
    """Solves M f' = -R(t, f, 0) and counts how often."""

    def __init__(
        self, problem: PDEProblem, matrix: Sequence[sympy.Expr], rest: Sequence[sympy.Expr]
    ) -> None:
        self._names = (*problem.coordinates, *problem.fields)
        self._count, self._left = len(rest), _EVALUATIONS
        self._program = compile_numpy([*matrix, *rest], sorted(self._names))

    def __call__(self, time: float, fields: np.ndarray) -> np.ndarray:
        self._left -= 1
        if self._left < 0:
            raise _TooLongError
        columns: Mapping[str, np.ndarray] = {
            name: np.asarray(value)
            for name, value in zip(self._names, (time, *fields), strict=True)
        }
        values = np.array([np.asarray(v, dtype=float) for v in self._program(columns)])
        matrix = values[: -self._count].reshape(self._count, self._count)
        return np.asarray(np.linalg.solve(matrix, -values[-self._count :]))
