"""A homogeneous problem on sums of sines: its small generalised eigenproblem.

Wavevectors and phases are random; coefficients are those that fulfil the linear conditions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import sympy

from pdehvd.errors import ConfigError
from pdehvd.numerics.chain_rule import substitute_hard
from pdehvd.numerics.compiling import compile_numpy
from pdehvd.numerics.expressions import symbol
from pdehvd.problems.block import Block
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.sampling import SamplingSpec, SobolSpec

# Sines of all fields, by the number of coordinates, and points of the equations for each.
_SINES = {1: 120, 2: 400}
_MOST_SINES, _POINTS = 1000, 3
# Below so much of the largest is nothing: of conditions, of functions, and of both matrices.
_FREE, _NOTHING, _NULL = 1e-14, 1e-10, 1e-12
# With a smaller imaginary part, relative to it, an eigenvalue is real.
_IMAGINARY = 1e-3


def enough_points(dimension: int) -> SamplingSpec:
    """Return the points that a problem of so many coordinates needs, however few are trained on."""
    count = _sines(dimension, 1)
    return SobolSpec(equations=_POINTS * count, conditions=count)


def _sines(dimension: int, fields: int) -> int:
    """Return the number of functions of each field."""
    return min(_SINES.get(dimension, _MOST_SINES) * fields, _MOST_SINES) // fields


@dataclass(frozen=True)
class _Residual:
    """A residual sum_p (a_p + lam b_p) p over derivatives p, at points x [I * k, D] of I items.

    Each factor is [I * k] or []; one that is nothing is left out.
    """

    x: np.ndarray
    points_per_item: int
    first: dict[sympy.Symbol, np.ndarray]
    second: dict[sympy.Symbol, np.ndarray]


class Pencil:
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
                    yield self._at_points(block, slopes)
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
        held = [_rows(one, basis)[0] for one in self._conditions]
        free = _kernel(np.concatenate(held), basis.size) if held else np.eye(basis.size)
        rows = [_rows(one, basis) for one in self._equations]
        norms = [max(float(np.sqrt(np.mean(a**2))), 1e-300) for a, _ in rows]
        first = np.concatenate([a / norm for (a, _), norm in zip(rows, norms, strict=True)]) @ free
        second = np.concatenate([b / norm for (_, b), norm in zip(rows, norms, strict=True)]) @ free
        values = basis.values(self._equations[0].x) @ free
        _, sizes, turned = np.linalg.svd(values, full_matrices=False)
        some = sizes > _NOTHING * sizes[:1]
        scaled = turned[some].T / sizes[some]
        return _real_eigenvalues(*_without_null(first @ scaled, second @ scaled))

    def _at_points(self, block: Block, slopes: dict[sympy.Symbol, sympy.Expr]) -> _Residual:
        """Return a residual at the points of its block."""
        items = block.source.items(0, 0, block.source.count)
        columns = dict(zip(self.problem.coordinates, items.x.T, strict=True)) | dict(items.extras)
        columns |= {
            unknown.name: np.asarray(unknown.initial)
            for unknown in self.problem.unknowns
            if unknown.name != self._name
        }

        def factors(parts: dict[sympy.Symbol, sympy.Expr]) -> dict[sympy.Symbol, np.ndarray]:
            some = {one: part for one, part in parts.items() if part != 0}
            values = compile_numpy(list(some.values()), list(columns))(columns)
            return dict(zip(some, values, strict=True))

        lam = self._eigenvalue
        first = factors({one: slope.subs(lam, 0) for one, slope in slopes.items()})
        second = factors({one: sympy.diff(slope, lam) for one, slope in slopes.items()})
        return _Residual(items.x, block.source.points_per_item, first, second)


def _rows(residual: _Residual, basis: _Sines) -> tuple[np.ndarray, np.ndarray]:
    """Return what each function adds to a residual of each item, [I, J]: a, and b of lam."""
    found = []
    for factors in (residual.first, residual.second):
        result = np.zeros((len(residual.x), basis.size))
        for one, factor in factors.items():
            whole = np.broadcast_to(factor, len(residual.x))
            result += whole[:, None] * basis.partial(one, residual.x)
        found.append(result.reshape(-1, residual.points_per_item, basis.size).sum(axis=1))
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

    def values(self, x: np.ndarray) -> np.ndarray:
        """Return all raw fields at points [N, D], under one another."""
        return np.concatenate([self.partial(symbol(field), x) for field in self._problem.fields])


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
