"""Solutions of ordinary equations by an integration from the start, to compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import sympy
from scipy.integrate import solve_ivp

from pdehvd.assembly.trust.field_ranges import raw_range
from pdehvd.assembly.trust.plausible_values import evaluated
from pdehvd.assembly.trust.prescribed import prescribed
from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import compile_numpy, symbol
from pdehvd.problems.pde_problem import PDEProblem

# The solver is stopped after so many evaluations.
_EVALUATIONS = 20_000
# Tolerances of two integrations that must agree to this share, as those of chaos do not.
_TOLERANCES, _AGREE = (1e-6, 1e-9), 1e-2
_AT_START = 1e-12


class _TooLongError(Exception):
    """The solution takes too many evaluations."""


def solution(
    problem: PDEProblem,
    start: Mapping[str, float],
    unknowns: Mapping[str, float],
    times: np.ndarray,
    tolerance: float,
) -> dict[str, np.ndarray] | None:
    """Return the fields at ascending times [n] from their start at the lower bound.

    `start` holds the values of fields and derivatives by name. None where one of them is missing,
    where the equations cannot be solved for the highest derivatives, or no solution is found.
    """
    system = _system(problem, unknowns)
    if system is None or not set(system.state) <= start.keys():
        return None
    low, high = problem.domain.bounds[0].tolist()
    first = np.array([start[name] for name in system.state])
    try:
        with np.errstate(all="ignore"):
            solved = solve_ivp(
                system,
                (low, high),
                first,
                method="LSODA",
                t_eval=times,
                rtol=tolerance,
                atol=1e-3 * tolerance * (np.abs(first).max() or 1.0),
            )
    except (_TooLongError, ConfigError, np.linalg.LinAlgError):
        return None
    if not solved.success or not np.isfinite(solved.y).all():
        return None
    return {field: solved.y[system.state.index(field)] for field in problem.fields}


def trusted_solution(
    problem: PDEProblem, unknowns: Mapping[str, float], times: np.ndarray
) -> dict[str, np.ndarray] | None:
    """Return the fields at ascending times [n] from the values that conditions prescribe.

    None where these are not the initial values of an ordinary system, or where a finer integration
    gives something else.
    """
    if len(problem.coordinates) != 1:
        return None
    start = _start(problem)
    coarse, fine = (solution(problem, start, unknowns, times, own) for own in _TOLERANCES)
    if coarse is None or fine is None:
        return None
    agree = all(
        np.linalg.norm(coarse[field] - own) <= _AGREE * np.linalg.norm(own)
        for field, own in fine.items()
    )
    return fine if agree else None


def _start(problem: PDEProblem) -> dict[str, float]:
    """Return the values at the lower bound that conditions and hard forms give by name."""
    low, found = problem.domain.bounds[:, :1], {}
    near = _AT_START * float(np.ptp(problem.domain.bounds))
    for one in prescribed(problem):
        at = np.flatnonzero(np.abs(one.x[:, 0] - low[0, 0]) <= near)
        if at.size:
            columns = {problem.coordinates[0]: one.x[at[:1], 0]}
            found[one.name] = float(np.ravel(evaluated([one.value], columns)[0])[0])
    return found | fixed_by_hard_forms(problem, low)


def fixed_by_hard_forms(problem: PDEProblem, x: np.ndarray) -> dict[str, float]:
    """Return the fields whose values at a point [1, D] do not depend on the network, by name."""
    ranges = {field: raw_range(problem, field, x) for field in problem.hard}
    return {f: float(base[0]) for f, (base, reach) in ranges.items() if not reach.any()}


class _System:
    """Gives the derivatives of `state`: fields f, f', ... below their highest derivatives.

    The residuals R(t, f, f', ...) are linear in the highest derivatives h, so that M h = -R(h=0).
    """

    def __init__(
        self, names: Sequence[Sequence[str]], equations: Sequence[sympy.Expr], time: str
    ) -> None:
        """Take the names f, f', ... of each field up to its highest derivative."""
        rates = [own[-1] for own in names]
        self.state = state = tuple(name for own in names for name in own[:-1])
        # What a name grows by is the next one.
        self._sources = [(*state, *rates).index(name) for own in names for name in own[1:]]
        self._count, self._left, self._time = len(rates), _EVALUATIONS, time
        symbols = [symbol(rate) for rate in rates]
        matrix = [equation.diff(own) for equation in equations for own in symbols]
        rest = [equation.subs(dict.fromkeys(symbols, 0)) for equation in equations]
        self._program = compile_numpy([*matrix, *rest], sorted({*state, time}))

    def __call__(self, time: float, values: np.ndarray) -> np.ndarray:
        self._left -= 1
        if self._left < 0:
            raise _TooLongError
        columns = {self._time: np.asarray(time)}
        columns |= {n: np.asarray(v) for n, v in zip(self.state, values, strict=True)}
        found = np.array([np.asarray(v, dtype=float) for v in self._program(columns)])
        matrix = found[: -self._count].reshape(self._count, self._count)
        highest = np.linalg.solve(matrix, -found[-self._count :])
        return np.asarray(np.concatenate([values, highest])[self._sources])


def _system(problem: PDEProblem, unknowns: Mapping[str, float]) -> _System | None:
    """Return the equations solved for the highest derivatives, None where that is impossible."""
    (time,) = problem.coordinates
    known = {symbol(name): value for name, value in unknowns.items()}
    equations = [e.subs(known) for term in problem.blocks[0].terms for e in term.expressions]
    orders = dict.fromkeys(problem.fields, 0)
    for equation in equations:
        for partial in problem.partials(equation).values():
            orders[partial.field] = max(orders[partial.field], *partial.orders)
    if len(equations) != len(orders) or not all(orders.values()):
        return None
    names = {f: [f, *(f"{f}_{time * k}" for k in range(1, n + 1))] for f, n in orders.items()}
    rates = [own[-1] for own in names.values()]
    held = {str(free) for equation in equations for free in equation.free_symbols}
    slopes = [equation.diff(symbol(rate)) for equation in equations for rate in rates]
    if not held <= {*(name for own in names.values() for name in own), time}:
        return None
    if any(str(free) in rates for slope in slopes for free in slope.free_symbols):
        return None
    return _System(list(names.values()), equations, time)
