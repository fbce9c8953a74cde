"""Rough eigenvalues before training: the guesses from which each mode finds its own.

Each field is a sum of sines of random wavevectors whose coefficients fulfil the linear conditions.
The equations are then a small generalised eigenproblem. A network with random hidden weights is
such a sum (extreme learning machine). What a finer one does not change is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import sympy

from pdehvd.config.root import Config
from pdehvd.errors import ConfigError, within
from pdehvd.numerics.chain_rule import substitute_hard
from pdehvd.numerics.compiling import compile_numpy
from pdehvd.numerics.expressions import symbol
from pdehvd.problems.block import Block
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.sampling import SamplingSpec, SobolSpec
from pdehvd.problems.unknowns import UnknownSpec

# Sines of all fields, by the number of coordinates, and points of the equations for each.
_SINES = {1: 120, 2: 400}
_MOST_SINES, _POINTS = 1000, 3
# Wavevectors reach so many half waves along a coordinate more than there are modes, then more.
_HALF_WAVES, _MORE, _TRIALS = 3.0, 1.6, 4
# Below so much of the largest is nothing: of conditions, of functions, and of both matrices.
_FREE, _NOTHING, _NULL = 1e-14, 1e-10, 1e-12
# A finer set of sines agrees within this share, or roughly; with a smaller imaginary part an
# eigenvalue is real.
_AGREED, _ROUGHLY, _IMAGINARY = 1e-3, 1e-2, 1e-3
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
            problem_of_one = own.build(_points(config), config.seed)
            found = first_eigenvalues(problem_of_one, name, spec.count + 1, spec.above)
        distances = _distances(found.values, found.share)
        lists = {"initial": found.values[: spec.count], "within": distances[: spec.count]}
        if spec.positive:
            del lists["within"]
        update = lists if spec.count > 1 else {key: values[0] for key, values in lists.items()}
        unknowns = problem.unknowns | {name: spec.model_copy(update=update)}
        problem = problem.model_copy(update={"unknowns": unknowns})
    return config.model_copy(update={"problem": problem})


def _points(config: Config) -> SamplingSpec:
    """Return enough points, however few are trained on."""
    count = _sines(len(config.problem.coordinates), 1)
    return SobolSpec(equations=_POINTS * count, conditions=count)


def _sines(dimension: int, fields: int) -> int:
    """Return the number of functions of each field."""
    return min(_SINES.get(dimension, _MOST_SINES) * fields, _MOST_SINES) // fields


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
        found.append(float(f"{min(half, _WIDER * share * _size(value, values)):.4g}"))
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
    pencil = _Pencil(problem, eigenvalue)
    rough: Estimate | None = None
    before: np.ndarray | None = None
    for trial in range(_TRIALS):
        waves = (_HALF_WAVES + count) * _MORE**trial
        found = _kept(pencil.solved(waves, trial), above)
        if before is not None:
            if _agree(found[:count], before[:count], _AGREED):
                return Estimate(_rounded(found[:count]), _AGREED)
            if _agree(found[:count], before[:count], _ROUGHLY):
                rough = Estimate(_rounded(found[:count]), _ROUGHLY)
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
    return [0.0 if abs(value) < nothing else float(f"{value:.4g}") for value in values]


@dataclass(frozen=True)
class _Residual:
    """A residual sum_p (a_p + lam b_p) p over derivatives p, at the points of a block."""

    block: Block
    slopes: dict[sympy.Symbol, sympy.Expr]


class _Pencil:
    """The matrices of a problem on functions with random wavevectors."""

    def __init__(self, problem: PDEProblem, eigenvalue: str) -> None:
        self.problem = problem
        self._name = eigenvalue
        self._eigenvalue = symbol(eigenvalue)
        self._equations = list(self._linear(problem.blocks[0], needed=True))
        self._conditions = [
            one for block in problem.blocks[1:] for one in self._linear(block, needed=False)
        ]

    def _linear(self, block: Block, needed: bool) -> Iterator[_Residual]:
        """Yield the residuals of a block that are linear in the fields."""
        language = self.problem.language
        for term in block.terms:
            expressions = substitute_hard(
                term.expressions, self.problem.hard, language.fields, language.coordinates
            )
            for expression in expressions:
                slopes = {one: sympy.diff(expression, one) for one in language.partials(expression)}
                linear = not any(language.partials(slope) for slope in slopes.values())
                if linear and sympy.diff(expression, self._eigenvalue, 2) == 0:
                    yield _Residual(block, slopes)
                elif needed:
                    name = term.name.partition("/")[2]
                    raise ConfigError(
                        f"equations.{name} is not linear in the fields, so eigenvalues cannot be "
                        "estimated",
                        ("unknowns", self._name),
                        "'initial' with a rough value of each mode",
                    )

    def solved(self, waves: float, seed: int) -> np.ndarray:
        """Return the real eigenvalues that functions of up to so many half waves have."""
        basis = _Sines(self.problem, waves, seed)
        held = [self._rows(one, basis)[0] for one in self._conditions]
        free = _kernel(np.concatenate(held), basis.size) if held else np.eye(basis.size)
        rows = [self._rows(one, basis) for one in self._equations]
        norms = [max(float(np.sqrt(np.mean(a**2))), 1e-300) for a, _ in rows]
        first = np.concatenate([a / norm for (a, _), norm in zip(rows, norms, strict=True)]) @ free
        second = np.concatenate([b / norm for (_, b), norm in zip(rows, norms, strict=True)]) @ free
        values = basis.values(self._equations[0].block) @ free
        _, sizes, turned = np.linalg.svd(values, full_matrices=False)
        some = sizes > _NOTHING * sizes[:1]
        scaled = turned[some].T / sizes[some]
        return _real_eigenvalues(*_without_null(first @ scaled, second @ scaled))

    def _rows(self, residual: _Residual, basis: _Sines) -> tuple[np.ndarray, np.ndarray]:
        """Return what each function adds to a residual of each item, [I, J]: a, and b of lam."""
        block, language = residual.block, self.problem.language
        items = block.source.items(0, 0, block.source.count)
        columns = dict(zip(language.coordinates, items.x.T, strict=True)) | dict(items.extras)
        columns |= {u.name: np.asarray(u.initial) for u in self.problem.unknowns}
        names = [name for name in columns if name != self._name]
        k = block.source.points_per_item
        found = []
        for part in (0, 1):
            result = np.zeros((len(items.x), basis.size))
            for one, slope in residual.slopes.items():
                own = (
                    sympy.diff(slope, self._eigenvalue) if part else slope.subs(self._eigenvalue, 0)
                )
                if own == 0:
                    continue
                (factor,) = compile_numpy([own], names)({name: columns[name] for name in names})
                result += np.broadcast_to(factor, len(items.x))[:, None] * basis.partial(
                    one, items.x
                )
            found.append(result.reshape(-1, k, basis.size).sum(axis=1))
        return found[0], found[1]


class _Sines:
    """Functions sin(k x + c) of each field: J = fields x sines in all."""

    def __init__(self, problem: PDEProblem, waves: float, seed: int) -> None:
        self._problem = problem
        self._bounds = problem.domain.bounds
        dimension = len(self._bounds)
        self._count = _sines(dimension, len(problem.fields))
        self.size = self._count * len(problem.fields)
        rng = np.random.default_rng(seed)
        length = np.ptp(self._bounds, axis=1)
        shape = (len(problem.fields), self._count, dimension)
        self._waves = rng.uniform(-1, 1, shape) * waves * math.pi / length
        for number, field in enumerate(problem.fields):
            own = problem.arguments(field)
            for axis, name in enumerate(problem.coordinates):
                if name not in own:
                    self._waves[number, :, axis] = 0.0
        self._phases = rng.uniform(0, 2 * math.pi, shape[:2])
        # One is constant.
        self._waves[:, 0], self._phases[:, 0] = 0.0, math.pi / 2

    def partial(self, name: sympy.Symbol, x: np.ndarray) -> np.ndarray:
        """Return a derivative of all functions at points [N, D]; 0 of those of other fields."""
        partial = self._problem.partials(name)[name]
        number = self._problem.fields.index(partial.field)
        waves = self._waves[number]
        angles = (x - self._bounds[:, 0]) @ waves.T + self._phases[number]
        factor = np.prod(waves ** np.asarray(partial.orders), axis=1)
        result = np.zeros((len(x), self.size))
        own = slice(number * self._count, (number + 1) * self._count)
        result[:, own] = factor * np.sin(angles + sum(partial.orders) * math.pi / 2)
        return result

    def values(self, block: Block) -> np.ndarray:
        """Return all raw fields at the points of a block, under one another."""
        items = block.source.items(0, 0, block.source.count)
        return np.concatenate(
            [self.partial(symbol(field), items.x) for field in self._problem.fields]
        )


def _kernel(rows: np.ndarray, size: int) -> np.ndarray:
    """Return coefficients [J, K] of functions that fulfil the conditions."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.where(norms > 0, norms, 1.0)
    _, sizes, turned = np.linalg.svd(rows, full_matrices=True)
    rank = int(np.sum(sizes > _FREE * sizes[:1]))
    kernel: np.ndarray = turned[rank:].T
    return kernel


def _without_null(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both matrices without what neither sees, such as the constant of a pressure."""
    _, sizes, turned = np.linalg.svd(np.concatenate([first, second]), full_matrices=False)
    kept = turned[sizes > _NULL * sizes[:1]].T
    return first @ kept, second @ kept


def _real_eigenvalues(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the real lam with (a + lam b) w = 0, in the sense of least squares."""
    q, r = np.linalg.qr(first)
    other = -(q.T @ second)
    above, below = scipy.linalg.eigvals(r, other, homogeneous_eigvals=True)
    finite = np.abs(below) > _NULL * np.linalg.norm(other)
    values = above[finite] / below[finite]
    real: np.ndarray = values[np.abs(values.imag) <= _IMAGINARY * np.abs(values)].real
    return real
