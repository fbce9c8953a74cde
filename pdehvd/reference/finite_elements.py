"""The field on a regular grid that minimises an energy, by finite elements of scikit-fem."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import sympy
from scipy.sparse import csr_array

from pdehvd.errors import ConfigError, nearest
from pdehvd.numerics.expressions import compile_numpy, partial_of, symbol
from pdehvd.reference.cells import Cells
from pdehvd.reference.multigrid import Multigrid, direct

_ITERATIONS = 100
_TOLERANCE = 1e-9
_ROUNDING = 1e-12
_SHIFT = 1e-3

Values = Mapping[str, np.ndarray]
Key = TypeVar("Key")


def solve_energy(
    density: sympy.Expr,
    field: str,
    coordinates: Sequence[str],
    bounds: np.ndarray,
    inputs: Values,
    boundary_values: np.ndarray,
    free: np.ndarray,
) -> np.ndarray:
    """Return `FiniteElements(...).solve(inputs, boundary_values, free)`, for a single sample."""
    elements = FiniteElements(density, field, coordinates, bounds, boundary_values.shape)
    return elements.solve(inputs, boundary_values, free)


class FiniteElements:
    """Minimises int W(u, grad u, inputs, x) dx over multilinear u on a grid of nodes.

    `density` W holds the field (`u`), its first derivatives (`u_x`), coordinates, and inputs,
    which are multilinear too, with theirs (`nu_x`). The integral takes two Gauss points along each
    axis. The grid has `shape` nodes in the box `bounds` [D, 2], D = 1, 2, 3, ends included. Build
    it once for many samples.

    Raises ConfigError for a density with second derivatives.
    Source: Ciarlet, The Finite Element Method for Elliptic Problems (1978).
    """

    def __init__(
        self,
        density: sympy.Expr,
        field: str,
        coordinates: Sequence[str],
        bounds: np.ndarray,
        shape: Sequence[int],
    ) -> None:
        self.coordinates = tuple(coordinates)
        self.own = (field, *(f"{field}_{name}" for name in coordinates))
        self.cells = Cells(bounds, shape)
        density = sympy.sympify(density)
        self._others = _others(density, field, self.coordinates)
        first, second = _derivatives(density, [symbol(name) for name in self.own])
        own = {symbol(name) for name in self.own}
        self.quadratic = not any(value.free_symbols & own for value in second.values())
        self._up_to_a_constant = (0, 0) not in second
        self.density = self._compiled({0: density})
        self.first = self._compiled(first)
        self.second = self._compiled(second)
        self._solver: Multigrid | None = None

    def solve(self, inputs: Values, boundary_values: np.ndarray, free: np.ndarray) -> np.ndarray:
        """Return u [*n], equal to `boundary_values` [*n] except at `free` [*n] nodes.

        There the energy's gradient vanishes. `inputs` broadcast to [*n]. One linear system where
        the energy is quadratic; else Newton's method from `boundary_values`, damped so that the
        energy never rises.

        Raises ConfigError for a name without values, a field that is not determined, and a
        Newton's method that does not converge.
        """
        free = np.broadcast_to(free, self.cells.shape)
        if free.all() and self._up_to_a_constant:
            raise ConfigError("the energy does not determine its field", (), "a boundary value")
        u = np.array(np.broadcast_to(boundary_values, self.cells.shape), np.float64)
        if not free.any():
            return u
        rows = np.flatnonzero(free)
        if self._solver is None or not np.array_equal(rows, self._solver.rows):
            self._solver = Multigrid(self.cells.shape, self.cells.spacing, rows)
        sample = _Sample(self, self._known(inputs))
        return (_stationary if self.quadratic else _minimum)(sample, u, self._solver)

    def energy(self, u: np.ndarray, inputs: Values) -> float:
        """Return the energy of u [*n]."""
        return _Sample(self, self._known(inputs)).energy(u)[0]

    def norms(self, difference: np.ndarray) -> tuple[float, float]:
        """Return the L2 norm of a field [*n] and that of its gradient."""
        parts = [self.cells.part(difference, number) for number in range(len(self.own))]
        squares = [self.cells.total(part**2) for part in parts]
        return float(np.sqrt(squares[0])), float(np.sqrt(sum(squares[1:])))

    def _compiled(
        self, expressions: dict[Key, sympy.Expr]
    ) -> Callable[[Values], dict[Key, np.ndarray]]:
        """Return a function from names to the values [Q, E] of expressions, by the same keys."""
        names = sorted({s.name for e in expressions.values() for s in e.free_symbols})
        evaluate = compile_numpy(list(expressions.values()), names)

        def values(known: Values) -> dict[Key, np.ndarray]:
            results = (np.broadcast_to(result, self.cells.points) for result in evaluate(known))
            return dict(zip(expressions, results, strict=True))

        return values

    def _known(self, inputs: Values) -> dict[str, np.ndarray]:
        """Return what the density names besides the field, at the Gauss points."""
        known = {}
        for name in self._others:
            if name in self.coordinates:
                known[name] = self.cells.coordinate(self.coordinates.index(name))
                continue
            partial = partial_of(name, list(inputs), self.coordinates)
            if partial is None or sum(partial.orders) > 1:
                valid = [*inputs, *self.coordinates]
                message = f"the energy contains '{name}', which has no values"
                raise ConfigError(message, (), ", ".join(valid), nearest(name, valid))
            number = 1 + partial.orders.index(1) if any(partial.orders) else 0
            values = np.broadcast_to(inputs[partial.field], self.cells.shape)
            known[name] = self.cells.part(values, number)
        return known


def _others(density: sympy.Expr, field: str, coordinates: Sequence[str]) -> list[str]:
    """Return the names in a density besides the field and its first derivatives."""
    others = []
    for name in sorted(inner.name for inner in density.free_symbols):
        partial = partial_of(name, [field], coordinates)
        if partial is None:
            others.append(name)
        elif sum(partial.orders) > 1:
            raise ConfigError(f"the energy contains '{name}'", (), "first derivatives only")
    return others


def _derivatives(
    density: sympy.Expr, own: Sequence[sympy.Symbol]
) -> tuple[dict[int, sympy.Expr], dict[tuple[int, int], sympy.Expr]]:
    """Return the derivatives that are not zero: the first, and the second for a <= b."""
    first = {a: sympy.diff(density, name) for a, name in enumerate(own)}
    second = {(a, b): sympy.diff(first[a], own[b]) for a in first for b in range(a, len(own))}
    if not any(second.values()):
        raise ConfigError("the energy does not determine its field", (), "squares of derivatives")
    return {a: v for a, v in first.items() if v != 0}, {k: v for k, v in second.items() if v != 0}


class _Sample:
    """The energy of one sample as a function of the values u [*n] at the nodes."""

    def __init__(self, elements: FiniteElements, known: Values) -> None:
        self._elements = elements
        self._known = known

    def _at(self, u: np.ndarray) -> dict[str, np.ndarray]:
        part = self._elements.cells.part
        own = {name: part(u, number) for number, name in enumerate(self._elements.own)}
        return {**self._known, **own}

    def energy(self, u: np.ndarray) -> tuple[float, float]:
        """Return the energy, and the integral of the density's modulus, for its rounding."""
        density = self._elements.density(self._at(u))[0]
        return self._elements.cells.total(density), self._elements.cells.total(np.abs(density))

    def gradient(self, u: np.ndarray) -> np.ndarray:
        """Return the first derivatives [N] with respect to the nodes' values."""
        return self._elements.cells.vector(self._elements.first(self._at(u)))

    def hessian(self, u: np.ndarray) -> csr_array:
        """Return the second derivatives [N, N] with respect to the nodes' values."""
        return self._elements.cells.matrix(self._elements.second(self._at(u)))

    def identity(self) -> csr_array:
        """Return the matrix [N, N] of int u v + grad u . grad v."""
        parts, ones = range(len(self._elements.own)), np.ones(self._elements.cells.points)
        return self._elements.cells.matrix({(part, part): ones for part in parts})


def _stationary(sample: _Sample, u: np.ndarray, solver: Multigrid) -> np.ndarray:
    """Return where the gradient of a quadratic energy vanishes."""
    rows = solver.rows
    matrix, gradient = sample.hessian(u)[rows][:, rows], sample.gradient(u)[rows]
    step = solver.solve(matrix, gradient)
    return _moved(u, rows, direct(matrix, gradient) if step is None else step)


def _minimum(sample: _Sample, u: np.ndarray, solver: Multigrid) -> np.ndarray:
    """Return where Newton's method with a shift ends, which rises until the energy falls."""
    rows, shift = solver.rows, 0.0
    energy = sample.energy(u)[0]
    identity = sample.identity()[rows][:, rows]
    for _ in range(_ITERATIONS):
        matrix, gradient = sample.hessian(u)[rows][:, rows], sample.gradient(u)[rows]
        scale = matrix.diagonal().mean() / identity.diagonal().mean()
        step = solver.solve(matrix + shift * (scale if scale > 0 else 1.0) * identity, gradient)
        trial = u if step is None else _moved(u, rows, step)
        new, size = sample.energy(trial)
        if step is None or not new <= energy + _ROUNDING * size:
            shift = max(10 * shift, _SHIFT)
            continue
        u, energy = trial, new
        if np.abs(step).max() <= _TOLERANCE * np.abs(u).max():
            return u
        shift = shift / 10 if shift > _SHIFT else 0.0
    raise ConfigError("Newton's method finds no minimum of the energy", (), "a convex energy")


def _moved(u: np.ndarray, rows: np.ndarray, step: np.ndarray) -> np.ndarray:
    moved = u.copy()
    moved.reshape(-1)[rows] -= step
    values: np.ndarray = moved
    return values
