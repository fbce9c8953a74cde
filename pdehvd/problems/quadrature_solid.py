"""Quadrature over a solid, slice by slice: each section is a region of the plane."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pdehvd.problems.curves import Curves, join_curves
from pdehvd.problems.quadrature_fit import DEGREES, Polynomials, fit_rule
from pdehvd.problems.quadrature_plane import (
    ORDER,
    Mask,
    Rule,
    Tests,
    cuts,
    estimate,
    gauss,
    plane_rule,
)
from pdehvd.problems.sequences import Sobol
from pdehvd.problems.shapes_csg import Shape

_TOLERANCE = 1e-12
_SLABS = 100
_INSIDE = 40_000
_TRIES = 2**22
_CLOSE = 1e-9  # of the extent: a section so close to a flat part of the surface is along it
_ASIDE = 1e-11  # of the extent: how far beside a flat part the body is looked at


def cross_section(shape: Shape, axis: int, value: float) -> list[Curves]:
    """Return the curves of each part of a solid's surface in the plane x_axis = value."""
    leaves = shape.leaves()
    parts = [join_curves([s.section(axis, value) for s in leaf.surfaces]) for leaf in leaves]
    return [part for part in parts if part.columns]


def beside(faces: np.ndarray, value: float, extent: float) -> tuple[float, ...]:
    """Return where a section at a value of a coordinate is taken; `faces` are its flat parts.

    That is the value itself, but on a flat part both sides of it: there the body ends or changes.
    """
    near = faces[np.abs(faces - value) <= _CLOSE * extent]
    if not len(near):
        return (value,)
    step = _ASIDE * extent
    return float(near.min()) - step, float(near.max()) + step


def _flat(shape: Shape, axis: int, value: float) -> np.ndarray:
    """Return where parts of the surface lie in a plane x_axis = c, c close to `value`."""
    extent = float(np.ptp(shape.bounds[axis]))
    surfaces = [surface for leaf in shape.leaves() for surface in leaf.surfaces]
    turns = np.concatenate([surface.turns(axis) for surface in surfaces])
    near = np.unique(turns[np.abs(turns - value) <= _CLOSE * extent])
    return np.array(
        [
            place
            for place in near
            if any(s.on_plane(axis, float(place), _ASIDE * extent) is not None for s in surfaces)
        ]
    )


def cut_solid(shape: Shape, axis: int, value: float) -> tuple[list[Curves], Mask]:
    """Return the curves of a section of a solid, and which points [N, 2] of it are inside.

    A section along a flat part of the surface is what lies on either side of it.
    """
    extent = float(np.ptp(shape.bounds[axis]))
    places = beside(_flat(shape, axis, value), value, extent)

    def inside(x: np.ndarray) -> np.ndarray:
        values: np.ndarray = np.logical_or.reduce(
            [shape.inside(lifted(x, axis, place)) for place in places]
        )
        return values

    return [part for place in places for part in cross_section(shape, axis, place)], inside


def lifted(x: np.ndarray, axis: int, value: float) -> np.ndarray:
    """Return points [N, 3] of the plane x_axis = value from their other two coordinates [N, 2]."""
    return np.insert(x, axis, value, axis=1)


def section_rule(shape: Shape, axis: int, value: float, tests: Tests, thrifty: bool) -> Rule:
    """Return a rule over the section of a solid with the plane x_axis = value, nodes [Q, 2]."""
    parts, inside = cut_solid(shape, axis, value)
    if not parts:
        return Rule(np.zeros((0, 2)), np.zeros(0))
    return plane_rule(
        parts,
        inside,
        lambda x: tests(lifted(x, axis, value)),
        thrifty,
    )


def solid_rule(shape: Shape, tests: Tests) -> Rule:
    """Return a rule over a solid, nodes [Q, 3], exact for polynomials of the degree in `DEGREES`.

    A polyhedron's moments follow from its faces, others from many slices.
    """
    polynomials = Polynomials(shape.bounds, DEGREES[3])
    if shape.faces is not None:
        return fit_rule(polynomials, polynomials.moments_inside(shape.faces), _spread(shape))
    slices = sliced(shape, tests)
    return fit_rule(polynomials, polynomials.moments(slices), slices)


def _spread(shape: Shape) -> Rule:
    """Return evenly spread points inside, of equal weights."""
    low, high = shape.bounds.T
    found: list[np.ndarray] = []
    done, size = 0, 2**15
    while sum(map(len, found)) < _INSIDE and done < _TRIES:
        x = low + (high - low) * Sobol(0).points(3, _TRIES, done, done + size, ())
        found.append(x[shape.inside(x)])
        done += size
    nodes = np.concatenate(found)
    return Rule(nodes, np.full(len(nodes), float(np.prod(high - low)) / done))


def sliced(shape: Shape, tests: Tests) -> Rule:
    """Return a rule of many nodes, whose slabs are halved until the test functions are right."""
    axis = min(range(3), key=lambda one: len(_turns(shape, one)))
    edges = _turns(shape, axis)
    size = float(np.prod(np.ptp(shape.bounds, axis=1)))
    waiting = list(pairwise(edges))
    done: list[Rule] = []
    while waiting:
        low, high = waiting.pop(0)
        rule, error = _slab(shape, axis, low, high, tests)
        if error <= _TOLERANCE * size or len(done) + len(waiting) >= _SLABS:
            done.append(rule)
        else:
            middle = (low + high) / 2
            waiting += [(low, middle), (middle, high)]
    return Rule(
        np.concatenate([rule.nodes for rule in done]),
        np.concatenate([rule.weights for rule in done]),
    )


def _turns(shape: Shape, axis: int) -> np.ndarray:
    """Return where slices begin, end or change their form; of a fine mesh only its ends."""
    surfaces = [surface for leaf in shape.leaves() for surface in leaf.surfaces]
    places = [np.sort(surface.turns(axis)) for surface in surfaces]
    few = [place if len(place) <= _SLABS // 4 else place[[0, -1]] for place in places]
    low, high = shape.bounds[axis]
    return cuts(np.concatenate(few), low, high)


def _slab(shape: Shape, axis: int, low: float, high: float, tests: Tests) -> tuple[Rule, float]:
    """Return the slices of low <= x_axis <= high, and an estimate of their error."""
    s, ds = gauss(ORDER)
    values = low + (high - low) * (1.0 - np.cos(np.pi * s)) / 2
    steps = (high - low) * np.pi / 2 * np.sin(np.pi * s) * ds
    nodes, weights, terms = [], [], []
    for value, step in zip(values, steps, strict=True):
        rule = section_rule(shape, axis, value, tests, thrifty=False)
        nodes.append(lifted(rule.nodes, axis, value))
        weights.append(step * rule.weights)
        terms.append(weights[-1] @ tests(nodes[-1]))
    error = float(estimate(np.array(terms)[None])[0])
    return Rule(np.concatenate(nodes), np.concatenate(weights)), error
