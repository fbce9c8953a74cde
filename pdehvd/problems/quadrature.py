"""Rules for integrals over boxes, shapes, and their sections and chords."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pdehvd.problems.curves import join_curves
from pdehvd.problems.quadrature_fit import DEGREES, Polynomials, fit_rule
from pdehvd.problems.quadrature_plane import Rule, Tests, gauss, intervals, plane_rule
from pdehvd.problems.quadrature_solid import beside, cut_solid, section_rule, solid_rule
from pdehvd.problems.shapes_csg import Shape

__all__ = ["Rule", "box_rule", "shape_rule"]

_CHORD_NODES = 24
_MOST_IN_PLANE = 6000
_POLES = 8


def box_order(count: int) -> int:
    """Return the Gauss-Legendre nodes along each of `count` coordinates."""
    return 32 if count < 3 else 12


def box_rule(bounds: np.ndarray, order: int) -> Rule:
    """Return the product of Gauss-Legendre rules over a box [D, 2]: nodes [order^D, D]."""
    rule = Rule(np.zeros((1, 0)), np.ones(1))
    s, ds = gauss(order)
    for low, high in bounds:
        rule = product(rule, Rule(low + (high - low) * s[:, None], (high - low) * ds))
    return rule


def product(first: Rule, second: Rule) -> Rule:
    """Return the rule over the product of two sets, the coordinates of the first in front."""
    count = len(second.weights)
    nodes = [np.repeat(first.nodes, count, axis=0), np.tile(second.nodes, (len(first.weights), 1))]
    weights = np.multiply.outer(first.weights, second.weights).reshape(-1)
    return Rule(np.concatenate(nodes, axis=1), weights)


def shape_rule(shape: Shape, fixed: Mapping[int, float]) -> Rule:
    """Return a rule over a shape, or over its section where some coordinates are fixed.

    Nodes [Q, k - fixed] lie inside. Where the section is empty there are none.
    """
    tests = _tests(shape)
    if not fixed:
        return _plane(shape, tests) if shape.dimension == 2 else solid_rule(shape, tests)
    axis, *more = sorted(fixed)
    if shape.dimension == 3 and not more:
        return section_rule(shape, axis, fixed[axis], tests, thrifty=True)
    return _chord(shape, fixed)


def _plane(shape: Shape, tests: Tests) -> Rule:
    parts = [surface.section(0, 0.0) for leaf in shape.leaves() for surface in leaf.surfaces]
    rule = plane_rule(parts, shape.inside, tests)
    if len(rule.weights) <= _MOST_IN_PLANE:
        return rule
    polynomials = Polynomials(shape.bounds, DEGREES[2])
    return fit_rule(polynomials, polynomials.moments(rule), rule)


def _chord(shape: Shape, fixed: Mapping[int, float]) -> Rule:
    """Return a rule over the intervals that a line parallel to an axis has inside."""
    axis, *more = sorted(fixed)
    if more:
        parts, within = cut_solid(shape, axis, fixed[axis])
        at, swapped = fixed[more[0]], more[0] - (axis < more[0]) == 1
        extent = float(np.ptp(shape.bounds[more[0]]))
    else:
        parts = [surface.section(0, 0.0) for leaf in shape.leaves() for surface in leaf.surfaces]
        within, at, swapped = shape.inside, fixed[axis], axis == 1
        extent = float(np.ptp(shape.bounds[axis]))
    curves = join_curves([part.swapped() if swapped else part for part in parts])

    def inside(x: np.ndarray) -> np.ndarray:
        return within(x[:, ::-1] if swapped else x)

    found = []
    for place in beside(curves.upright(), at, extent):
        heights = curves.heights(np.array([place]))
        found.append(heights[0][intervals(heights, np.array([place]), inside)[0]])
    ends = _union(found) if len(found) > 1 else found[0]
    rules = [box_rule(pair[None], _CHORD_NODES) for pair in ends]
    nodes = np.concatenate([np.zeros((0, 1)), *(rule.nodes for rule in rules)])
    return Rule(nodes, np.concatenate([np.zeros(0), *(rule.weights for rule in rules)]))


def _union(parts: list[np.ndarray]) -> np.ndarray:
    """Return disjoint intervals [J, 2] that cover what those of several sets [I, 2] cover."""
    union: list[list[float]] = []
    for low, high in sorted(np.concatenate(parts).tolist()):
        if union and low <= union[-1][1]:
            union[-1][1] = max(union[-1][1], high)
        else:
            union.append([low, high])
    return np.reshape(union, (-1, 2))


def _tests(shape: Shape) -> Tests:
    """Return functions by which a rule is made: waves as long as the shape, and poles in holes."""
    low, high = shape.bounds.T
    center, half = (low + high) / 2, (high - low) / 2
    directions = np.concatenate([np.eye(shape.dimension), _diagonals(shape.dimension)])
    waves = np.pi * directions / half
    poles = _poles(shape)

    def tests(x: np.ndarray) -> np.ndarray:
        phase = (x - center) @ waves.T
        distance = ((x[:, None] - poles) ** 2).sum(axis=2) / (half @ half)
        return np.concatenate(
            [np.ones((len(x), 1)), np.cos(phase), np.sin(phase), np.log(distance)], axis=1
        )

    return tests


def _diagonals(dimension: int) -> np.ndarray:
    if dimension == 2:
        return np.array([[0.6, 0.8], [0.8, -0.6]])
    return np.array([[0.6, 0.6, 0.5], [0.6, -0.5, 0.6], [-0.5, 0.6, 0.6]])


def _poles(shape: Shape) -> np.ndarray:
    """Return the middles [P, k] of holes: solutions outside a hole may grow towards its middle."""
    found = []
    around = np.concatenate([np.zeros((1, shape.dimension)), np.eye(shape.dimension)])
    around = np.concatenate([around, -around[1:]])
    for leaf in shape.leaves():
        low, high = leaf.bounds.T
        middle = (low + high) / 2
        if not shape.contains(middle + 0.25 * np.min(high - low) * around).any():
            found.append(middle)
    return np.array(found[:_POLES]).reshape(-1, shape.dimension)
