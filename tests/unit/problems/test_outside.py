import re

import numpy as np
import pytest
from pydantic import TypeAdapter

from pdehvd.problems.geometry import build_domain
from pdehvd.problems.outside import distances, farthest, is_outside
from pdehvd.problems.sampling import Uniform
from pdehvd.problems.shapes import GeometrySpec

PLANE = {"x": None, "y": None}
SPACE = {"x": None, "y": None, "z": None}
DISK = {"disk": {"center": [0, 0], "radius": 1}}
SQUARE = {"polygon": [[-2, -2], [2, -2], [2, 2], [-2, 2]]}
HOLED = {"difference": [SQUARE, DISK]}
ROOM = {"ball": {"center": [0, 0, 0], "radius": 2}}
ROD = {"cylinder": {"from": [0, 0, -1], "to": [0, 0, 1], "radius": 0.5}}


def domain(coordinates, geometry=None):
    return build_domain(
        coordinates, geometry and TypeAdapter(GeometrySpec).validate_python(geometry)
    )


def distance(text):
    return float(re.search(r"by (?:about )?(\S+?)(?: in|$)", text).group(1))


@pytest.mark.parametrize(
    ("coordinates", "geometry", "point", "right"),
    [
        ({"x": [-1, 1], "t": [0, 1]}, None, [1.5, 0.5], 0.5),
        ({"x": [-1, 1], "t": [0, 1]}, None, [0, -2], 2),
        (PLANE, DISK, [0, 1.25], 0.25),
        (PLANE, DISK, [0, -1.000001], 1e-6),
        (PLANE, {"ellipse": {"center": [0, 0], "radii": [2, 1]}}, [2.5, 0], 0.5),
        (PLANE, HOLED, [0.3, 0], 0.7),
        (PLANE, HOLED, [3, 3], np.sqrt(2)),
        (PLANE, {"union": [DISK, {"disk": {"center": [3, 0], "radius": 1}}]}, [1.6, 0], 0.4),
        ({**PLANE, "t": [0, 4]}, DISK, [2, 0, 1], 1),
        ({**PLANE, "t": [0, 4]}, DISK, [0, 0, 5], 1),
        (SPACE, ROOM, [0, 2.5, 0], 0.5),
        (SPACE, {"difference": [ROOM, ROD]}, [0.1, 0, 0], 0.4),
        (SPACE, {"difference": [ROOM, ROD]}, [0.1, 0, 0.95], 0.05),
        (
            SPACE,
            {"cuboid": {"from": [0, 0, 0], "to": [1, 1, 1]}, "name": "block"},
            [2, 0.5, 0.5],
            1,
        ),
    ],
)
def test_the_distance_of_a_point_outside(coordinates, geometry, point, right):
    where = domain(coordinates, geometry)
    x = np.array([point], float)
    assert is_outside(where, x).all()
    assert distance(farthest(where, x)) == pytest.approx(right, rel=0.05)


def test_the_farthest_is_named_of_all():
    text = farthest(domain({"x": [-1, 1], "t": [0, 0.1]}), np.array([[1.5, 0], [0, 0.2], [1.1, 0]]))
    assert text == "the farthest by 0.1 in t: t = 0.2 is not in [0, 0.1]"
    text = farthest(domain(PLANE, HOLED), np.array([[0.9, 0], [0, 0.25]]))
    assert text == "the farthest, x = 0, y = 0.25, by about 0.75"


@pytest.mark.parametrize("beyond", [1e-8, 1e-5, 1e-2, 1.0])
def test_distances_of_many_points_are_rough_but_none_is_called_too_far(beyond):
    shape = domain(PLANE, DISK).frame.shape
    angle = np.linspace(0, 6, 100)
    radius = 1 + beyond * np.linspace(0.5, 1, 100)
    away = distances(shape, radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1))
    assert 0.5 * beyond < away.max() < 1.02 * beyond
    np.testing.assert_allclose(away, radius - 1, rtol=0.02, atol=2e-3)
    assert distances(shape, np.zeros((2, 2))).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("coordinates", "geometry"),
    [(PLANE, DISK), (SPACE, ROOM), ({"x": [0, 0.1], "y": [0.3, 0.7]}, None)],
)
def test_numbers_of_single_precision_on_the_boundary_are_inside(coordinates, geometry):
    where = domain(coordinates, geometry)
    x = where.sample(where.region("boundary"), Uniform(0), 400, 0, 400, (0, 1)).x
    single, rounding = x.astype(np.float32).astype(np.float64), np.finfo(np.float32).eps
    assert not is_outside(where, x).any()
    assert is_outside(where, single).any()
    assert not is_outside(where, single, rounding).any()
    middle = where.bounds.mean(axis=1)
    assert is_outside(where, middle + (single - middle) * (1 + 1e-5), rounding).all()
