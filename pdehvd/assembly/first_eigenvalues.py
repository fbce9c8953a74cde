"""Rough eigenvalues before training: the guesses from which each mode finds its own.

Each field is a sum of sines of random wavevectors whose coefficients fulfil the linear conditions.
The equations are then a small generalised eigenproblem. A network with random hidden weights is
such a sum (extreme learning machine). What a finer one does not change is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pdehvd.assembly.sine_pencil import Pencil, Solutions, enough_points
from pdehvd.assembly.trust.caution import round_to
from pdehvd.config.root import Config
from pdehvd.errors import ConfigError, counted, within
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.unknowns import UnknownSpec

# Wavevectors reach so many half waves along a coordinate more than there are modes, then more.
_HALF_WAVES, _MORE, _TRIALS = 3.0, 1.6, 4
# A finer set of sines agrees within this share, or roughly.
_AGREED, _ROUGHLY = 1e-3, 1e-2
# A trained eigenvalue may leave its estimate by so many times what refinements changed, at most
# half way to the next that differs by more than a share: others may change places.
_WIDER, _SAME = 10.0, 0.1
# A share of the summands of the equations that they may leave of an estimate, at other points; so
# many values more are tried, because some may be none.
_LEFT, _MORE_VALUES = 0.3, 6
# Numbers, relative to a guess, that are not all eigenvalues.
_OTHERS = (0.61, 0.87, 1.19, 1.43)


def _eigenvalues(config: Config) -> dict[str, UnknownSpec]:
    """Return the eigenvalues of a problem."""
    unknowns = config.problem.unknowns.items()
    return {n: one for n, one in unknowns if isinstance(one, UnknownSpec) and one.eigenvalue}


def without_guesses(config: Config) -> list[str]:
    """Return the eigenvalues that have no initial guesses."""
    return [name for name, spec in _eigenvalues(config).items() if spec.initial is None]


def guessed(config: Config) -> Config:
    """Return a config with initial guesses of eigenvalues that have none.

    Raises `ConfigError` where they cannot be found.
    """
    problem = config.problem
    for name in without_guesses(config):
        spec = problem.unknowns[name]
        with within("problem"):
            own = _with_one_mode(config, name)
            above = max(spec.above or 0.0, 0.0) if spec.positive else spec.above
            found = first_eigenvalues(own, name, spec.count, above)
        distances = _distances(found.values, found.share)
        lists = {"initial": found.values[: spec.count], "within": distances[: spec.count]}
        if spec.positive:
            del lists["within"]
        update = lists if spec.count > 1 else {key: values[0] for key, values in lists.items()}
        own_spec = spec.model_copy(update={**update, "above": None})
        problem = problem.model_copy(update={"unknowns": problem.unknowns | {name: own_spec}})
    return config.model_copy(update={"problem": problem})


def _with_one_mode(config: Config, name: str) -> PDEProblem:
    """Return the problem of a config with one mode of an eigenvalue, and many points."""
    problem = config.problem
    spec = problem.unknowns[name]
    own = {"modes": None, "positive": False, "within": None, "initial": spec.each[0].initial}
    alone = spec.model_copy(update=own)
    unknowns = problem.unknowns | {name: alone}
    rest = {"unknowns": unknowns, "monitors": {}, "labels": {}}
    points = enough_points(len(problem.coordinates))
    built: PDEProblem = problem.model_copy(update=rest).build(points, config.seed)
    return built


def check_determined(config: Config) -> None:
    """Raise `ConfigError` where any number close to an initial guess is an eigenvalue.

    That is seen with one coordinate only: with more, functions are too many for few sines.
    """
    guesses = set(_eigenvalues(config)) - set(without_guesses(config))
    for name in guesses if len(config.problem.coordinates) == 1 else ():
        with within("problem"):
            problem = _with_one_mode(config, name)
            (guess,) = (one.initial for one in problem.unknowns if one.name == name)
            count = config.problem.unknowns[name].count
            if _undetermined(Pencil(problem, name), count, guess or 1.0):
                raise _missing_conditions(name)


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
        count: how many; the one after them, where there is one, comes with them
        above: only those above it; None for the lowest

    Raises `ConfigError` where an equation is not linear, or they cannot be found.
    """
    pencil = Pencil(problem, eigenvalue)
    if pencil.not_linear:
        raise ConfigError(
            f"{pencil.not_linear}, so eigenvalues cannot be estimated",
            ("unknowns", eigenvalue),
            "'initial' with a rough value of each mode",
        )
    found: list[Solutions] = []
    rough = False
    for trial in range(_TRIALS):
        lowest = _lowest(pencil.solved(_waves(count, trial), trial), count, above)
        left = pencil.missed(lowest, rounds=1)
        found.append(lowest.some(left <= _LEFT).some(slice(count + 1)))
        values, before = found[-1].values, found[-2].values if trial else np.zeros(0)
        if _agree(values[:count], before[:count], count, _AGREED):
            return _tried(pencil, found[-1], count, _AGREED, eigenvalue)
        if _agree(values[:count], before[:count], count, _ROUGHLY):
            rough, agreed = True, found[-1]
    if rough:
        return _tried(pencil, agreed, count, _ROUGHLY, eigenvalue)
    if len(found[-1].values) < count and left.max(initial=0.0) > _LEFT:
        raise _left_over(left.max(), count, eigenvalue)
    raise _refusal(pencil, found, count, above, eigenvalue)


def _lowest(solutions: Solutions, count: int, above: float | None) -> Solutions:
    """Return the lowest, some more than are asked for: not all of them need be solutions.

    Above 0 there is none that is nothing next to the following one.
    """
    if above is not None:
        solutions = solutions.some(solutions.values > above)
        following = np.append(solutions.values[1:], np.inf)
        solutions = solutions.some((above != 0) | (solutions.values > _AGREED * following))
    return solutions.some(slice(count + 1 + _MORE_VALUES))


def _waves(count: int, trial: int) -> float:
    """Return up to how many half waves along a coordinate sines have."""
    return (_HALF_WAVES + count + 1) * _MORE**trial


def _tried(pencil: Pencil, found: Solutions, count: int, share: float, eigenvalue: str) -> Estimate:
    """Return an estimate. Raises `ConfigError` where equations do not hold between its points."""
    left = pencil.missed(found.some(slice(count))).max()
    if left > _LEFT:
        raise _left_over(left, count, eigenvalue)
    return Estimate(_rounded(found.values), share)


def _left_over(left: float, count: int, eigenvalue: str) -> ConfigError:
    return ConfigError(
        f"{_named(count)} could not be estimated: {left:.0%} of the equations is left at other "
        "points, as where a well or a layer is small in the domain, or conditions contradict each "
        "other",
        ("unknowns", eigenvalue),
        "'initial' with a rough value of each mode, or a smaller domain",
    )


def _named(count: int) -> str:
    return f"the first {count} eigenvalues" if count > 1 else "the lowest eigenvalue"


def _refusal(
    pencil: Pencil, found: Sequence[Solutions], count: int, above: float | None, eigenvalue: str
) -> ConfigError:
    """Return why eigenvalues could not be estimated."""
    last, beyond = found[-1].values, "" if above is None else f" above {above:g}"
    size = float(np.abs(last).max(initial=0.0)) or 1.0
    if _undetermined(pencil, count, size):
        return _missing_conditions(eigenvalue)
    if not len(last):
        cause, expected = f"no real eigenvalue{beyond} was found", "other equations or conditions"
    elif len(last) < count:
        cause = f"only {counted(len(last), 'real eigenvalue')}{beyond} of {count} found"
        expected = f"'modes: {len(last)}', or 'initial' with a rough value of each mode"
    else:
        cause = f"{_named(count)}{beyond} could not be estimated: finer estimates do not agree"
        expected = "'initial' with a rough value of each mode"
    return ConfigError(cause, ("unknowns", eigenvalue), expected)


def _undetermined(pencil: Pencil, count: int, guess: float) -> bool:
    """Return whether numbers close to a guess are all eigenvalues."""
    numbers = [share * guess for share in _OTHERS]
    return any(
        pencil.undetermined(_waves(count, trial), trial, numbers) for trial in range(_TRIALS)
    )


def _missing_conditions(eigenvalue: str) -> ConfigError:
    return ConfigError(
        "conditions are missing: with these, any number is an eigenvalue",
        ("unknowns", eigenvalue),
        "one more condition on the boundary",
    )


def _agree(one: np.ndarray, other: np.ndarray, count: int, share: float) -> bool:
    """Return whether two lists of so many values are the same within a share of each.

    An eigenvalue 0 is only as small as the rounding of the others.
    """
    if len(one) != count or len(other) != count:
        return False
    sizes = np.maximum(np.abs(one), share * np.abs(one).max())
    return bool(np.all(np.abs(one - other) <= share * sizes))


def _rounded(values: np.ndarray) -> list[float]:
    """Return values with four digits, and 0 for what is nothing next to the largest."""
    nothing = _AGREED**2 * np.abs(values).max()
    return [0.0 if abs(value) < nothing else round_to(value, 4) for value in values]
