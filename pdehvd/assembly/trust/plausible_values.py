"""Plausible values of every name in an expression, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import sympy

from pdehvd.numerics.expressions import exact, partial_of, symbol
from pdehvd.numerics.rounding_errors import compile_settled
from pdehvd.problems.block import Block, Items
from pdehvd.problems.pde_problem import PDEProblem

ITEMS = 256
_SEED = 20_260
# Below so many points random values may all be small by chance.
_FEW = 16

Columns = Mapping[str, np.ndarray]
Range = tuple[float, float]


def items_of(block: Block, count: int = ITEMS) -> Items:
    """Return the first items of a block, the same whatever the number of processes."""
    return block.source.items(0, 0, min(block.count, count))


def columns_of(problem: PDEProblem, items: Items) -> dict[str, np.ndarray]:
    """Return coordinates, data and initial guesses of the unknowns by name, [n] or []."""
    columns = dict(zip(problem.coordinates, items.x.T, strict=True)) | items.extras
    return columns | {u.name: np.asarray(u.initial) for u in problem.unknowns}


def evaluated(expressions: Sequence[sympy.Basic], columns: Columns) -> list[np.ndarray]:
    """Return expressions [n] of columns, 0 where only rounding makes them something else.

    What the columns lack raises `ConfigError`.
    """
    return compile_settled(expressions, sorted(columns))(columns)


def rms(values: np.ndarray) -> float:
    """Return the root mean square of the finite values, 0 where there are none."""
    known = np.abs(values[np.isfinite(values)])
    # The squares of small or large values are not numbers of double precision.
    largest = float(known.max(initial=0.0))
    return largest * float(np.sqrt(np.mean((known / largest) ** 2))) if largest else 0.0


def _spread(random: np.random.Generator, count: int) -> np.ndarray:
    """Return numbers [count] in [0, 1]; a few are evenly spread."""
    if count >= _FEW:
        return random.uniform(0, 1, count)
    return (random.permutation(count) + 0.5) / count


@dataclass(frozen=True)
class Plausible:
    """Fields between `ranges`, derivatives of order k of size (high - low) (2 / length)^k.

    `offsets` are the constants that `hard` forms add to fields: 101325 of `101325 + network`.
    """

    problem: PDEProblem
    ranges: Mapping[str, Range]
    offsets: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Extents of the coordinates, [D]."""
        values: np.ndarray = np.ptp(self.problem.domain.bounds, axis=1)
        return values

    @property
    def spans(self) -> dict[str, float]:
        """The same by name."""
        return dict(zip(self.problem.coordinates, self.lengths.tolist(), strict=True))

    def size(self, name: str) -> float:
        """Return the size of a field or derivative by its name."""
        partial = partial_of(name, self.problem.fields, self.problem.coordinates)
        assert partial is not None
        low, high = self.ranges[partial.field]
        if not any(partial.orders):
            return max(abs(low), abs(high))
        spread = (high - low) or abs(high)
        return float(spread * np.prod((2 / self.lengths) ** np.array(partial.orders)))

    def partials(self, expressions: Sequence[sympy.Expr]) -> list[str]:
        """Return the names of fields and derivatives in expressions, sorted."""
        held = (free for one in expressions for free in self.problem.partials(one))
        return sorted({free.name for free in held})

    def columns(self, block: Block, expressions: Sequence[sympy.Expr]) -> dict[str, np.ndarray]:
        """Return plausible columns [n] for the expressions of a block, always the same."""
        items = items_of(block)
        columns = columns_of(self.problem, items)
        random = np.random.default_rng(_SEED)
        for name in self.partials(expressions):
            if name in self.ranges:
                low, high = self.ranges[name]
                columns[name] = low + (high - low) * _spread(random, len(items.x))
            else:
                columns[name] = self.size(name) * random.uniform(-1, 1, len(items.x))
        return columns

    def summands(self, expression: sympy.Expr) -> tuple[sympy.Expr, ...]:
        """Return the summands of a residual that the network has to balance.

        Where a `hard` form adds a constant c to a field p, they are p - c and all else that is
        known: p - 101325 - g has p - c and c - 101325 - g.
        """
        summands: tuple[sympy.Expr, ...] = sympy.Add.make_args(expression)
        constants = {symbol(name): exact(value) for name, value in self.offsets.items()}
        if not constants.keys() & expression.free_symbols:
            return summands
        known, held = [], []
        for summand in summands:
            fixed = summand.subs(constants)
            if self.problem.partials(fixed):
                held.append(summand)
            else:
                known.append(fixed)
                held.append(summand - fixed)
        return (sympy.Add(*known), *(one for one in held if one != 0))

    def term_size(self, block: Block, expression: sympy.Expr) -> float:
        """Return the size of the largest summand of a residual of a block."""
        columns = self.columns(block, [expression])
        shape = (-1, block.source.points_per_item)
        summands = evaluated(self.summands(expression), columns)
        return max(rms(np.abs(values).reshape(shape).sum(1)) for values in summands)

    def effects(self, block: Block, expression: sympy.Expr) -> dict[str, float]:
        """Return by how much, on average, a residual grows with each field and derivative.

        That is (R(+s) - R(-s)) / 2 where s is the size of the one and all others are plausible.
        """
        columns = self.columns(block, [expression])
        result = {}
        for name in self.partials([expression]):
            size = np.asarray(self.size(name))
            ends = [evaluated([expression], {**columns, name: end})[0] for end in (size, -size)]
            half = (ends[0] - ends[1]) / 2
            known = half[np.isfinite(half)]
            sign = np.sign(known.mean()) if known.size else 0.0
            result[name] = float(sign * rms(half))
        return result
