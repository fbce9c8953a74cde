"""How sure discovered numbers are: standard deviations and correlations from noise in the data.

Training minimises |rho(theta)|^2. At its minimum, noise of standard deviation s in the rows of the
data moves theta by -H^-1 J_d^T times that noise, with H = J^T J of all rows and J_d of the data's:

    Cov(theta) = s^2 H^-1 G H^-1,   G = J_d^T J_d,   s^2 = |rho_d|^2 / (n_d - tr(H^-1 G))

for n_d measured values. Source: Seber, Wild, Nonlinear Regression (1989), 2.1, for weighted rows.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from scipy import linalg

from pdehvd.assembly.build import build_objective
from pdehvd.assembly.spread import Spread
from pdehvd.comm.group import Solo
from pdehvd.config.root import Config
from pdehvd.objectives.base import AnyObjective
from pdehvd.objectives.host import HostCalls, HostObjective
from pdehvd.objectives.least_squares import LeastSquares
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.training.state import TrainState

# Parameters beyond which H is too large to be solved on the side.
MOST_PARAMETERS = 3000
# Damping of H, relative to its trace: directions that change no residual stay put.
_DAMPING = 1e-12
# A direction is free whose part of H^-1 is such a share of what the damping allows; and a number
# takes part in it from this share of its length on.
_LOOSE, _PART = 0.1, 1e-2


def spread(config: Config, problem: PDEProblem, state: TrainState) -> Spread | None:
    """Return how far noise in the data moves the unknowns of a trained state, to first order.

    None where there are no unknowns or no data, more than `MOST_PARAMETERS` parameters, or as many
    parameters as the data can determine at most. One process computes it from all rows.
    Raises `LinAlgError` where H is singular in double precision.
    """
    theta, weights = (np.asarray(a, np.float64) for a in (state.theta, state.weights))
    counts = _counts(problem)
    own = {term: float(weights[problem.terms.index(term)]) for term in counts}
    tables = {term: count for term, count in counts.items() if own[term] > 0}
    if not (problem.unknowns and tables) or len(theta) > MOST_PARAMETERS:
        return None
    in_double = config.model_copy(update={"precision": "float64"})
    whole = build_objective(in_double, problem, Solo())
    rows = _Rows(whole, theta, state.selection)
    names = tuple(u.name for u in problem.unknowns)
    squares = rows.linearized(weights)
    inverse = _Inverse(_whole(squares))
    step = inverse.solve(-squares.gradient)[-len(names) :]
    moved = inverse.solve(np.eye(len(theta))[:, -len(names) :])
    free = inverse.free(moved[-len(names) :])
    covariance, noise = np.zeros((len(names), len(names))), {}
    for term, count in tables.items():
        only = np.where([name == term for name in problem.terms], weights, 0.0)
        of_data = rows.linearized(only)
        normal = _whole(of_data)
        left = count - float(np.trace(inverse.solve(normal)))
        if left < 1 or not np.isfinite(left):
            return None
        variance = float(of_data.own @ of_data.own) / left
        covariance += variance * moved.T @ normal @ moved
        noise[term.split("/")[-1]] = float(np.sqrt(variance * _items(problem, term) / own[term]))
    open_ = tuple(name for name, loose in zip(names, free, strict=True) if loose)
    slopes = _slopes(problem, theta)
    plain = np.sqrt(np.diag(covariance))
    with np.errstate(all="ignore"):
        correlations = covariance / np.outer(plain, plain)
    return Spread(names, plain * slopes, correlations, noise, step * slopes, open_)


def _counts(problem: PDEProblem) -> dict[str, int]:
    """Return the number of measured values of each term that compares with data."""
    return {
        f"data/{name}": sum(int(np.isfinite(table.values(f)).sum()) for f in table.fields)
        for name, table in problem.measured.items()
    }


class _Rows:
    """The rows of a whole problem at one theta."""

    def __init__(
        self, whole: AnyObjective, theta: np.ndarray, selection: np.ndarray | None
    ) -> None:
        self._theta = theta
        self._calls, self._batch = HostCalls(whole), whole.batch(0, selection)

    def linearized(self, weights: np.ndarray) -> LeastSquares:
        """Return the rows and their Jacobian with these weights of the terms."""
        host = HostObjective(self._calls, self._batch, tf.constant(weights, tf.float64))
        return host.linearize(self._theta)


def _items(problem: PDEProblem, term: str) -> int:
    """Return the number of items of a term."""
    return next(b.count for b in problem.blocks if any(one.name == term for one in b.terms))


def _whole(squares: LeastSquares) -> np.ndarray:
    """Return J^T J [P, P]."""
    upper = np.triu(squares.normal().own[0])
    whole: np.ndarray = upper + np.triu(upper, 1).T
    return whole


class _Inverse:
    """H^-1, with a damping far below its trace."""

    def __init__(self, matrix: np.ndarray) -> None:
        self._damping = _DAMPING * float(np.trace(matrix))
        self._factor = linalg.cho_factor(matrix + self._damping * np.eye(len(matrix)))

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return H^-1 R for R [P, m]."""
        found: np.ndarray = linalg.cho_solve(self._factor, right)
        return found

    def free(self, block: np.ndarray) -> np.ndarray:
        """Return which numbers [U] move in a direction that only the damping holds.

        Arguments:
            block: their part [U, U] of H^-1
        """
        sizes, directions = np.linalg.eigh(block)
        loose = directions[:, sizes > _LOOSE / self._damping]
        moves: np.ndarray = np.any(np.abs(loose) > _PART, axis=1)
        return moves


def _slopes(problem: PDEProblem, theta: np.ndarray) -> np.ndarray:
    """Return d(number)/d(trained) [U]: trained are logarithms, or parts of a size."""
    own = theta[-len(problem.unknowns) :]
    return np.array(
        [unknown.slope(float(raw)) for unknown, raw in zip(problem.unknowns, own, strict=True)]
    )
