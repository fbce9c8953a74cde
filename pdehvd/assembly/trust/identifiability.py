"""Unknowns that nothing determines, or that cannot be distinguished."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy

from pdehvd.assembly.trust.plausible_values import Plausible, evaluated, items_of
from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import symbol
from pdehvd.problems.block import Block
from pdehvd.problems.pde import PDEProblem

# Singular values below this are zero; share of a direction that an unknown must have in it.
_ZERO, _SHARE = 1e-9, 0.1
# Share of the points of a condition that a face must hold, and distance in domain lengths.
_HELD, _NEAR = 0.05, 1e-6
_SEED = 20_261


def entangled(problem: PDEProblem, names: Plausible) -> tuple[str, ...]:
    """Return unknowns that can be changed together while no residual changes.

    The derivatives of all residuals by the unknowns are columns at plausible fields; where they
    are linearly dependent, as for a product of two unknowns, only a combination is determined.
    """
    inside = {str(s) for own in problem.hard.values() for s in own.free_symbols}
    unknowns = [u for u in problem.unknowns if u.name not in inside]
    if len(unknowns) < 2:
        return ()
    random = np.random.default_rng(_SEED)
    # Anywhere near the initial guesses: at zero, derivatives may vanish by chance.
    guesses = {u.name: np.asarray((u.initial or 1.0) * random.uniform(0.5, 1.5)) for u in unknowns}
    rows = [
        row
        for block in problem.blocks
        for term in block.terms
        for expression in term.expressions
        if (row := _slopes(names, block, expression, guesses)) is not None
    ]
    if not rows:
        return ()
    matrix = np.concatenate(rows)
    lengths = np.linalg.norm(matrix, axis=0)
    if not lengths.all():
        return ()
    _, values, directions = np.linalg.svd(matrix / lengths)
    if len(values) == len(unknowns) and values[-1] > _ZERO * values[0]:
        return ()
    shares = np.abs(directions[-1])
    return tuple(u.name for u, share in zip(unknowns, shares, strict=True) if share > _SHARE)


def _slopes(
    names: Plausible, block: Block, expression: sympy.Expr, guesses: dict[str, np.ndarray]
) -> np.ndarray | None:
    """Return the derivatives [n, unknowns] of a residual, of size 1; None without unknowns."""
    slopes = [sympy.diff(expression, symbol(name)) for name in guesses]
    if not any(slopes):
        return None
    try:
        columns = names.columns(block, [expression]) | guesses
        matrix = np.stack(evaluated(slopes, columns), 1)
    except ConfigError:
        return None
    matrix = matrix[np.isfinite(matrix).all(1)]
    largest = np.abs(matrix).max(initial=0)
    return matrix / largest if largest else None


def unmeasured(problem: PDEProblem) -> bool:
    """Return whether conditions only do what one equation needs, so that any unknown will do.

    That is so where they lie on end faces and are, along each coordinate, no more than the order
    of its highest derivative. Only problems of one field on a box can be judged so.
    """
    equations = [e for term in problem.blocks[0].terms for e in term.expressions]
    conditions = problem.blocks[1:]
    several = len(problem.fields) > 1 or len(equations) > 1
    if not problem.unknowns or several or problem.domain.frame.shape is not None:
        return False
    if problem.hard and conditions:
        return False
    counts = np.zeros(len(problem.coordinates), int)
    for block in conditions:
        if block.source.points_per_item > 1:
            return False
        faces = _faces(problem, block)
        if faces is None:
            return False
        counts += faces * sum(len(term.expressions) for term in block.terms)
    return bool((counts <= _orders(problem, equations[0])).all())


def _faces(problem: PDEProblem, block: Block) -> np.ndarray | None:
    """Return the number of end faces [D] that a block holds, None if some points are inside."""
    low, high = problem.domain.bounds.T
    x = (items_of(block).x - low) / (high - low)
    ends = np.stack([np.abs(x) < _NEAR, np.abs(x - 1) < _NEAR])
    if not ends.any(axis=(0, 2)).all():
        return None
    return np.asarray((ends.mean(1) > _HELD).sum(0))


def _orders(problem: PDEProblem, equation: sympy.Expr) -> np.ndarray:
    """Return the order of the highest derivative along each coordinate, [D]."""
    values: np.ndarray = np.max(
        [[0] * len(problem.coordinates), *_all_orders(problem, equation)], axis=0
    )
    return values


def _all_orders(problem: PDEProblem, equation: sympy.Expr) -> Iterator[tuple[int, ...]]:
    for partial in problem.partials(equation).values():
        yield partial.orders
