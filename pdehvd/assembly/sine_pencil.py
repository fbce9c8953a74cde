"""A homogeneous problem on sums of sines: its small generalised eigenproblem.

Wavevectors and phases are random; coefficients are those that fulfil the linear conditions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import sympy

from pdehvd.numerics.chain_rule import substitute_hard
from pdehvd.numerics.compiling import compile_numpy
from pdehvd.numerics.expressions import symbol
from pdehvd.problems.block import Block
from pdehvd.problems.modes import NORM
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.sampling import SamplingSpec, SobolSpec

# Sines of all fields, by the number of coordinates, and points of the equations for each.
_SINES = {1: 120, 2: 400}
_MOST_SINES, _POINTS = 1000, 3
# Below so much of the largest is nothing: of conditions, of functions, and of both matrices.
_FREE, _NOTHING, _NULL = 1e-14, 1e-10, 1e-12
# With a smaller imaginary part, relative to it, an eigenvalue is real.
_IMAGINARY = 1e-3
# Solutions are tried at so many times as many points.
_ROUNDS = 10
# What fulfils the equations up to such a share of their summands is a solution.
_SOLVED = 1e-5
# An eigenvalue may be as small as 0 next to others.
_SMALL = 1e-2


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


@dataclass(frozen=True)
class Solutions:
    """Eigenvalues [n] in their order, and the functions [J, n] of each in a basis of J sines."""

    values: np.ndarray
    functions: np.ndarray
    basis: _Sines

    def some(self, chosen: np.ndarray | slice) -> Solutions:
        """Return some of them."""
        return Solutions(self.values[chosen], self.functions[:, chosen], self.basis)


class Pencil:
    """The matrices of a problem on functions with random wavevectors.

    `not_linear` says which equation has no part in them, and why; it is empty where all have.
    """

    def __init__(self, problem: PDEProblem, eigenvalue: str) -> None:
        self.problem = problem
        self._eigenvalue = symbol(eigenvalue)
        self._left_out = ""
        self._equations = list(self._linear(problem.blocks[0]))
        self.not_linear = self._left_out
        self._conditions = [
            one for block in problem.blocks[1:] if block.name != NORM for one in self._linear(block)
        ]

    def _linear(self, block: Block, round_: int = 0) -> Iterator[_Residual]:
        """Yield the residuals of a block that are linear in the fields, at points of a round."""
        language = self.problem.language
        for term in block.terms:
            expressions = substitute_hard(
                term.expressions, self.problem.hard, language.fields, language.coordinates
            )
            for expression in expressions:
                slopes = {one: sympy.diff(expression, one) for one in language.partials(expression)}
                of_fields = not any(language.partials(slope) for slope in slopes.values())
                if of_fields and sympy.diff(expression, self._eigenvalue, 2) == 0:
                    yield self._at_points(block, slopes, round_)
                    continue
                section, _, name = term.name.partition("/")
                what = self._eigenvalue.name if of_fields else "the fields"
                self._left_out = f"{section}s.{name} is not linear in {what}"

    def solved(self, waves: float, seed: int) -> Solutions:
        """Return the real eigenvalues that functions of up to so many half waves have."""
        basis, first, second, own = self._matrices(waves, seed)
        values, vectors = _real_eigenvalues(first, second)
        order = np.argsort(values)
        return Solutions(values[order], own @ vectors[:, order], basis)

    def _matrices(
        self, waves: float, seed: int
    ) -> tuple[_Sines, np.ndarray, np.ndarray, np.ndarray]:
        """Return a basis of J sines, A and B [I, K] of functions that fulfil the conditions.

        The last matrix, [J, K], has these functions in the basis; their values have size 1.
        """
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
        kept = _without_null(first @ scaled, second @ scaled)
        return basis, first @ scaled @ kept, second @ scaled @ kept, free @ scaled @ kept

    def missed(self, solutions: Solutions, rounds: int = _ROUNDS) -> np.ndarray:
        """Return what share of its summands the equations leave of each solution, [n].

        It is that at other points than those of the estimate, `rounds` times as many. An eigenvalue
        0 is only as small as the rounding of the others.
        """
        rest, size = np.zeros(len(solutions.values)), np.zeros(len(solutions.values))
        least = _SMALL * np.abs(solutions.values).max(initial=0.0)
        sizes = np.maximum(np.abs(solutions.values), least)
        for round_ in range(1, rounds + 1):
            for residual in self._linear(self.problem.blocks[0], round_):
                first, second = (
                    matrix @ solutions.functions for matrix in _rows(residual, solutions.basis)
                )
                rest += np.sum((first + solutions.values * second) ** 2, axis=0)
                size += np.sum(first**2 + (sizes * second) ** 2, axis=0)
            size += _NOTHING * np.sum(
                (solutions.basis.values(residual.x) @ solutions.functions) ** 2, axis=0
            )
        return np.sqrt(rest / size)

    def undetermined(self, waves: float, seed: int, numbers: Sequence[float]) -> bool:
        """Return whether every one of some numbers is an eigenvalue, so conditions are missing."""
        if self._left_out:
            return False
        basis, first, second, own = self._matrices(waves, seed)
        for number in numbers:
            *_, turned = np.linalg.svd(first + number * second, full_matrices=False)
            solution = Solutions(np.array([number]), own @ turned[-1:].T, basis)
            if not self.missed(solution)[0] < _SOLVED:
                return False
        return True

    def _at_points(
        self, block: Block, slopes: dict[sympy.Symbol, sympy.Expr], round_: int
    ) -> _Residual:
        """Return a residual at the points of its block."""
        items = block.source.items(round_, 0, block.source.count)
        columns = dict(zip(self.problem.coordinates, items.x.T, strict=True)) | dict(items.extras)
        columns |= {
            unknown.name: np.asarray(unknown.initial)
            for unknown in self.problem.unknowns
            if unknown.name != self._eigenvalue.name
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


def _without_null(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return a basis of what one of both sees; none does of the constant of a pressure."""
    _, sizes, turned = np.linalg.svd(np.concatenate([first, second]), full_matrices=False)
    kept: np.ndarray = turned[sizes > _NULL * sizes[:1]].T
    return kept


def _real_eigenvalues(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the real lam with (a + lam b) w = 0, in the sense of least squares, and each w."""
    q, r = np.linalg.qr(first)
    other = -(q.T @ second)
    (above, below), vectors = scipy.linalg.eig(r, other, homogeneous_eigvals=True)
    finite = np.abs(below) > _NULL * np.linalg.norm(other)
    values = above[finite] / below[finite]
    real = np.abs(values.imag) <= _IMAGINARY * np.abs(values)
    return values[real].real, vectors[:, finite][:, real].real
