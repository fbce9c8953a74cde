"""How sure discovered numbers are: standard deviations and correlations from noise in the data.

Training minimises |rho(theta)|^2. At its minimum, noise of standard deviation s in the rows of the
data moves theta by -H^-1 J_d^T times that noise, with H = J^T J of all rows and J_d of the data's:

    Cov(theta) = s^2 H^-1 G H^-1,   G = J_d^T J_d,   s^2 = |rho_d|^2 / (n_d - tr(H^-1 G))

for n_d measured values. Source: Seber, Wild, Nonlinear Regression (1989), 2.1, for weighted rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from scipy import linalg

from pdehvd.assembly.build import build_objective
from pdehvd.comm.group import Solo
from pdehvd.config.root import Config
from pdehvd.objectives.host import HostCalls, HostObjective
from pdehvd.objectives.objective import PDEObjective
from pdehvd.problems.pde import PDEProblem

# Parameters beyond which H is too large to be solved on the side.
MOST_PARAMETERS = 3000
# Damping of H, relative to its mean diagonal: directions that change no residual stay put.
_DAMPING = 1e-12
# Correlation beyond which two numbers cannot be distinguished by the data.
_ALIKE = 0.99


@dataclass(frozen=True)
class Spread:
    """Standard deviations [U] of unknowns, their correlations [U, U], and the noise of each table.

    Noise is in units of the field, divided by its size where several fields are in one table.
    """

    names: tuple[str, ...]
    deviations: np.ndarray
    correlations: np.ndarray
    noise: Mapping[str, float]

    @property
    def by_name(self) -> dict[str, float]:
        """The standard deviations by name."""
        return dict(zip(self.names, self.deviations.tolist(), strict=True))

    def doubts(self, values: Mapping[str, float]) -> list[str]:
        """Return in sentences which numbers the data do not determine."""
        found = [
            f"{name} is not determined by the data: its standard deviation {own:.2g} is larger "
            "than its value"
            for name, own in self.by_name.items()
            if own > abs(values[name])
        ]
        for i, one in enumerate(self.names):
            for j, other in enumerate(self.names[:i]):
                if abs(self.correlations[i, j]) > _ALIKE:
                    found.append(
                        f"{other} and {one} can hardly be distinguished by the data: their "
                        f"correlation is {self.correlations[i, j]:.4f}"
                    )
        return found


def spread(
    config: Config, problem: PDEProblem, theta: np.ndarray, weights: np.ndarray
) -> Spread | None:
    """Return how far noise in the data moves the unknowns, to first order.

    None where there are no unknowns or no data, more than `MOST_PARAMETERS` parameters, or as many
    parameters as the data can determine at most. One process computes it from all rows.
    """
    tables = {term: count for term, count in _counts(problem).items() if count}
    if not (problem.unknowns and tables) or len(theta) > MOST_PARAMETERS:
        return None
    in_double = config.model_copy(update={"precision": "float64"})
    whole = build_objective(in_double, problem, Solo())
    assert isinstance(whole, PDEObjective)
    rows = _Rows(whole, theta)
    names = tuple(u.name for u in problem.unknowns)
    inverse = _Inverse(rows.normal(weights)[0])
    moved = inverse.solve(np.eye(len(theta))[:, -len(names) :])
    covariance, noise = np.zeros((len(names), len(names))), {}
    for term, count in tables.items():
        only = np.where([name == term for name in problem.terms], weights, 0.0)
        normal, squares = rows.normal(only)
        left = count - float(np.trace(inverse.solve(normal)))
        if left < 1 or not np.isfinite(left):
            return None
        variance = squares / left
        covariance += variance * moved.T @ normal @ moved
        weight = float(weights[problem.terms.index(term)])
        noise[term.split("/")[-1]] = float(np.sqrt(variance * rows.count(term) / weight))
    return _in_units(problem, theta, names, covariance, noise)


def _counts(problem: PDEProblem) -> dict[str, int]:
    """Return the number of measured values of each term that compares with data."""
    return {
        f"data/{name}": sum(int(np.isfinite(table.values(f)).sum()) for f in table.fields)
        for name, table in problem.measured.items()
    }


class _Rows:
    """The rows of a whole problem at one theta."""

    def __init__(self, whole: PDEObjective, theta: np.ndarray) -> None:
        self._whole, self._theta = whole, theta.astype(np.float64)
        self._calls, self._batch = HostCalls(whole), whole.batch(0)

    def normal(self, weights: np.ndarray) -> tuple[np.ndarray, float]:
        """Return J^T J [P, P] and |rho|^2 with these weights of the terms."""
        host = HostObjective(self._calls, self._batch, tf.constant(weights, tf.float64))
        squares = host.linearize(self._theta)
        upper = np.triu(squares.normal().own[0])
        return upper + np.triu(upper, 1).T, float(squares.own @ squares.own)

    def count(self, term: str) -> int:
        """Return the number of items of a term."""
        blocks = self._whole.problem.blocks
        return next(b.count for b in blocks if any(one.name == term for one in b.terms))


class _Inverse:
    """H^-1, with a damping far below its mean diagonal."""

    def __init__(self, matrix: np.ndarray) -> None:
        damping = _DAMPING * np.trace(matrix)
        self._factor = linalg.cho_factor(matrix + damping * np.eye(len(matrix)))

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return H^-1 R for R [P, m]."""
        found: np.ndarray = linalg.cho_solve(self._factor, right)
        return found


def _in_units(
    problem: PDEProblem,
    theta: np.ndarray,
    names: tuple[str, ...],
    covariance: np.ndarray,
    noise: Mapping[str, float],
) -> Spread:
    """Return deviations of the numbers themselves; trained are logarithms, or parts of a size."""
    own = theta[-len(names) :]
    slopes = [
        np.exp(raw) if unknown.positive else unknown.size
        for unknown, raw in zip(problem.unknowns, own, strict=True)
    ]
    plain = np.sqrt(np.diag(covariance))
    with np.errstate(all="ignore"):
        correlations = covariance / np.outer(plain, plain)
    return Spread(names, plain * np.abs(slopes), correlations, noise)
