"""Problems whose conditions leave the unknowns open."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy

from pdehvd.assembly.trust.plausible_values import items_of
from pdehvd.problems.block import Block
from pdehvd.problems.pde_problem import PDEProblem

# Share of the points of a condition that a face must hold, and distance in domain lengths.
_HELD, _NEAR = 0.05, 1e-6


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
