"""Quadrature over regions agrees with closed forms."""

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy.special import ellipe

from pdehvd.problems.geometry import build_domain
from pdehvd.problems.quadrature_region import MOST_NODES, nodes_along, region_rule
from pdehvd.problems.shapes import GeometrySpec

PLATE = {
    "difference": [
        {"rectangle": {"from": [0, 0], "to": [2, 2]}, "name": "sheet"},
        {"disk": {"center": [0, 0], "radius": 0.5}, "name": "hole"},
    ]
}
NOTCHED = {
    "union": [
        {"polygon": [[0, 0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2]]},
        {"disk": {"center": [2, 0.5], "radius": 0.5}, "name": "end"},
    ]
}
OVAL = {"ellipse": {"radii": [3, 1], "angle": 0.3}}
CUBE = {"cuboid": {"from": [-1, -1, -1], "to": [1, 1, 1]}}
ROD = {"cylinder": {"from": [0, 0, 0], "to": [0, 0, 2], "radius": 0.2}}
BORED = {"difference": [{**CUBE, "name": "block"}, {"ball": {"radius": 0.5}, "name": "cavity"}]}
DRILLED = {"difference": [{**CUBE, "name": "block"}, ROD]}
PLANE, SPACE = {"x": None, "y": None}, {"x": None, "y": None, "z": None}
BOX = {"x": [0, 1], "y": [0, 3], "t": [0, 2]}


def domain(coordinates, geometry=None):
    shape = TypeAdapter(GeometrySpec).validate_python(geometry) if geometry else None
    return build_domain(coordinates, shape, {}, None, list(coordinates))


def integral(coordinates, geometry, on, function):
    """Return an integral over a region, after checks of all that a rule must fulfil."""
    place = domain(coordinates, geometry)
    rule = region_rule(place.region(on))
    assert place.contains(rule.x).all() and (rule.weights >= 0).all()
    if rule.normals is not None:
        np.testing.assert_allclose(np.linalg.norm(rule.normals, axis=1), 1.0, rtol=1e-12)
    values = function(rule.x, rule.normals) * rule.weights
    return float(values.sum()), rule


def one(x, normals):
    return np.ones(len(x))


def outward(d):
    return lambda x, normals: normals[:, d]


# Coordinates, shape, region, integrand, value, and how close.
EXACT = {
    "a hole": (PLANE, PLATE, "hole", one, np.pi / 4, 1e-13),
    "the pull on a hole": (PLANE, PLATE, "hole", outward(0), -0.5, 1e-13),
    "a closed boundary": (PLANE, PLATE, "boundary", outward(1), 0.0, 1e-12),
    "a length": (PLANE, PLATE, "boundary", one, 7 + np.pi / 4, 1e-9),
    "an edge that a hole shortens": (PLANE, PLATE, "x = 0", one, 1.5, 1e-9),
    "a part of a circle": (PLANE, PLATE, "hole and y > x", one, np.pi / 8, 1e-9),
    "a part of a shape": (PLANE, PLATE, "interior and x > 1", one, 2.0, 1e-12),
    "a chord": (PLANE, PLATE, "x = 0.3", one, 1.6, 1e-12),
    "a shape": (PLANE, PLATE, "interior", one, 4 - np.pi / 16, 1e-12),
    "half a circle of a union": (PLANE, NOTCHED, "end", outward(0), 1.0, 1e-9),
    "a boundary of a union": (PLANE, NOTCHED, "boundary", one, 7 + np.pi / 2, 1e-8),
    "an ellipse": (PLANE, OVAL, "boundary", one, 12 * ellipe(8 / 9), 1e-12),
    "an ellipse and time": (
        {**PLANE, "t": [0, 2]},
        OVAL,
        "boundary and x < 0",
        lambda x, normals: x[:, 2],
        12 * ellipe(8 / 9),
        1e-7,
    ),
    "two faces": (BOX, None, ["x = 0", "y = 0"], one, 8.0, 1e-12),
    "a face and its normal": (
        BOX,
        None,
        "boundary",
        lambda x, normals: np.exp(x[:, 0]) * normals[:, 0],
        6 * (np.e - 1),
        1e-11,
    ),
    "a part of a face": (BOX, None, "x = 1 and t > 0.5", one, 4.5, 1e-12),
    "a part of a line": (BOX, None, "x = 1 and y = 0 and t^2 < 2", one, np.sqrt(2), 1e-8),
    "single points": ({"x": [0, 2]}, None, "boundary", lambda x, n: x[:, 0] * n[:, 0], 2.0, 0),
    "a sphere": (
        SPACE,
        {"ball": {"radius": 0.5}},
        "boundary",
        lambda x, normals: x[:, 2] * normals[:, 2],
        np.pi / 6,
        1e-13,
    ),
    "a cavity": (SPACE, BORED, "cavity", lambda x, n: n[:, 0] * x[:, 0], -np.pi / 6, 1e-13),
    "a rod": (
        SPACE,
        ROD,
        "boundary",
        lambda x, normals: (x * normals).sum(axis=1),
        3 * np.pi * 0.2**2 * 2,
        1e-12,
    ),
    "a cube": (
        SPACE,
        CUBE,
        "boundary",
        lambda x, normals: np.exp(x[:, 0] + x[:, 1]) * normals[:, 0],
        2 * (np.e - 1 / np.e) ** 2,
        1e-10,
    ),
    "a face of a body": (SPACE, BORED, "x = 1", one, 4.0, 1e-12),
}


@pytest.mark.parametrize("case", EXACT)
def test_rules_are_exact(case):
    coordinates, geometry, on, function, value, close = EXACT[case]
    found, rule = integral(coordinates, geometry, on, function)
    assert rule.exact and len(rule.weights) <= MOST_NODES
    assert found == pytest.approx(value, abs=close)


EQUAL = {
    "a curved part of a plane": (
        *(PLANE, PLATE, "interior and x^2 + y^2 < 1", one),
        (1 - 0.5**2) * np.pi / 4,
    ),
    "a part of a surface": (SPACE, DRILLED, "z = 1", one, 4 - np.pi * 0.2**2),
    "a part that moves": (
        *({**PLANE, "t": [0, 1]}, PLATE, "x = 2 and y < 2*t", one),
        1.0,
    ),
    "a box in many dimensions": (
        *({f"x{name}": [0, 2] for name in "abcdefg"}, None, "xa = 2"),
        lambda x, normals: x[:, 1] ** 2 * normals[:, 0],
        2**5 * 8 / 3,
    ),
}


@pytest.mark.parametrize("case", EQUAL)
def test_what_no_rule_fits_is_covered_by_points_of_equal_weight(case):
    coordinates, geometry, on, function, value = EQUAL[case]
    found, rule = integral(coordinates, geometry, on, function)
    assert not rule.exact
    assert found == pytest.approx(value, rel=3e-3)


def test_the_number_of_nodes_is_bounded():
    assert nodes_along(2) == 32 and nodes_along(3) == 12
    assert nodes_along(4) is not None and nodes_along(5) is None
