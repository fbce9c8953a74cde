"""Rough eigenvalues before training: the guesses from which each mode finds its own.

Each field is a sum of sines of random wavevectors whose coefficients fulfil the linear conditions.
The equations are then a small generalised eigenproblem. A network with random hidden weights is
such a sum (extreme learning machine). What a finer one does not change is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pdehvd.assembly.sine_pencil import Pencil, enough_points
from pdehvd.assembly.trust.caution import round_to
from pdehvd.config.root import Config
from pdehvd.errors import ConfigError, within
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.unknowns import UnknownSpec

# Wavevectors reach so many half waves along a coordinate more than there are modes, then more.
_HALF_WAVES, _MORE, _TRIALS = 3.0, 1.6, 4
# A finer set of sines agrees within this share, or roughly.
_AGREED, _ROUGHLY = 1e-3, 1e-2
# A trained eigenvalue may leave its estimate by so many times what refinements changed, at most
# half way to the next that differs by more than a share: others may change places.
_WIDER, _SAME = 10.0, 0.1


def without_guesses(config: Config) -> list[str]:
    """Return the eigenvalues that have no initial guesses."""
    return [
        name
        for name, spec in config.problem.unknowns.items()
        if isinstance(spec, UnknownSpec) and spec.eigenvalue and spec.initial is None
    ]


def guessed(config: Config) -> Config:
    """Return a config with initial guesses of eigenvalues that have none.

    Raises `ConfigError` where they cannot be found.
    """
    problem = config.problem
    for name in without_guesses(config):
        spec = problem.unknowns[name]
        alone = spec.model_copy(update={"modes": None, "positive": False})
        unknowns = problem.unknowns | {name: alone}
        own = problem.model_copy(update={"unknowns": unknowns, "monitors": {}, "labels": {}})
        with within("problem"):
            problem_of_one = own.build(enough_points(len(problem.coordinates)), config.seed)
            found = first_eigenvalues(problem_of_one, name, spec.count + 1, spec.above)
        distances = _distances(found.values, found.share)
        lists = {"initial": found.values[: spec.count], "within": distances[: spec.count]}
        if spec.positive:
            del lists["within"]
        update = lists if spec.count > 1 else {key: values[0] for key, values in lists.items()}
        unknowns = problem.unknowns | {name: spec.model_copy(update=update)}
        problem = problem.model_copy(update={"unknowns": unknowns})
    return config.model_copy(update={"problem": problem})


@dataclass(frozen=True)
class Estimate:
    """Eigenvalues in their order, and the share of each that is not sure."""

    values: list[float]
    share: float


def _distances(values: Sequence[float], share: float) -> list[float]:
    """Return how far each value may move."""
    found = []
    for value in values:
        gaps = [abs(value - one) for one in values if abs(value - one) > _SAME * abs(value)]
        half = 0.5 * min(gaps, default=abs(value) or 2.0)
        found.append(round_to(min(half, _WIDER * share * _size(value, values)), 4))
    return found


def _size(value: float, values: Sequence[float]) -> float:
    """Return the size of a value; a 0 is only as small as the rounding of the others."""
    return max(abs(value), _AGREED * max(map(abs, values))) or 1.0


def first_eigenvalues(
    problem: PDEProblem, eigenvalue: str, count: int, above: float | None
) -> Estimate:
    """Return the lowest real eigenvalues of a problem of one mode, in their order.

    Arguments:
        problem: with one mode; what is not linear in its fields has no part in it
        eigenvalue: the name of the unknown
        count: how many
        above: only those above it; None for the lowest

    Raises `ConfigError` where an equation is not linear, or they cannot be found.
    """
    pencil = Pencil(problem, eigenvalue)
    rough: Estimate | None = None
    before: np.ndarray | None = None
    for trial in range(_TRIALS):
        waves = (_HALF_WAVES + count) * _MORE**trial
        found = _kept(pencil.solved(waves, trial), above)[:count]
        if before is not None:
            if _agree(found, before, _AGREED):
                return Estimate(_rounded(found), _AGREED)
            if _agree(found, before, _ROUGHLY):
                rough = Estimate(_rounded(found), _ROUGHLY)
        before = found
    if rough:
        return rough
    raise ConfigError(
        f"the first {count} eigenvalues could not be estimated"
        if count > 1
        else "the lowest eigenvalue could not be estimated",
        ("unknowns", eigenvalue),
        "'initial' with a rough value of each",
    )


def _kept(values: np.ndarray, above: float | None) -> np.ndarray:
    return np.sort(values if above is None else values[values > above])


def _agree(one: np.ndarray, other: np.ndarray, share: float) -> bool:
    """Return whether two lists are of the same values within a share of each.

    An eigenvalue 0 is only as small as the rounding of the others.
    """
    if len(one) != len(other) or not len(one):
        return False
    sizes = np.maximum(np.abs(one), share * np.abs(one).max())
    return bool(np.all(np.abs(one - other) <= share * sizes))


def _rounded(values: np.ndarray) -> list[float]:
    """Return values with four digits, and 0 for what is nothing next to the largest."""
    nothing = _AGREED**2 * np.abs(values).max()
    return [0.0 if abs(value) < nothing else round_to(value, 4) for value in values]
