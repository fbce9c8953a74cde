"""Periodic conditions join true pairs of points, or are refused."""

import numpy as np
import pytest

import pdehvd.reference  # noqa: F401 - a problem may name one
from pdehvd.errors import ConfigError
from pdehvd.problems.pde import PDESpec
from pdehvd.problems.sampling import SobolSpec

LOWER_HALF = {"rectangle": {"from": [1, -1], "to": [3, 0.5]}}
BRICK = {"rectangle": {"from": [0, 0], "to": [2, 1]}}


def built(geometry, along="x", coordinates=None):
    names = coordinates or {"x": None, "y": None}
    spec = PDESpec(
        coordinates=names,
        geometry=geometry,
        fields=["u"],
        equations={"laplace": " + ".join(f"u_{name}{name}" for name in names)},
        conditions={"sides": {"periodic": along, "of": ["u", f"u_{along}"], "points": 200}},
    )
    return spec.build(SobolSpec(equations=64, conditions=64), seed=1)


def pairs(problem):
    x = problem.blocks[1].source.items(0, 0, problem.blocks[1].count).x
    return x[::2], x[1::2]


GOOD = [
    (None, {"x": [0, 1], "t": [0, 1]}),
    (None, {"x": [0, "0.1*3"], "y": [-1, "2*pi"]}),
    (BRICK, None),
    ({"difference": [BRICK, {"disk": {"center": [1, 0.5], "radius": 0.2}}]}, None),
    ({"polygon": [[0, 0], [1, 0.3], [2, 0], [2, 1], [1, 1.3], [0, 1]]}, None),
    # Two faces on each side; their corners differ by rounding.
    (
        {"union": [BRICK, {"rectangle": {"from": [0, 3], "to": [2, 3.3]}}]},
        None,
    ),
    ({"polygon": [[0, 0], [3, 0], [3, 0.30000000000000004], [0, 0.3]]}, None),
    (
        {
            "difference": [
                {"cuboid": {"from": [0, 0, 0], "to": [1, 1, 1]}},
                {"cylinder": {"from": [-1, 0.5, 0.5], "to": [2, 0.5, 0.5], "radius": 0.2}},
            ]
        },
        {"x": None, "y": None, "z": None},
    ),
    ({"cylinder": {"from": [0, 0, 0], "to": [2, 0, 0], "radius": 1}}, dict.fromkeys("xyz")),
    (BRICK, {"x": None, "y": None, "z": [0, 2]}),
    (
        {
            "difference": [
                {"cuboid": {"from": [0, 0, 0], "to": [1, 1, 1]}},
                {"ball": {"center": [0, 0.5, 0.5], "radius": 0.3}},
                {"ball": {"center": [1, 0.5, 0.5], "radius": 0.3}},
            ]
        },
        dict.fromkeys("xyz"),
    ),
]


@pytest.mark.parametrize(("geometry", "coordinates"), GOOD)
def test_congruent_faces_are_joined_by_true_pairs(geometry, coordinates):
    problem = built(geometry, coordinates=coordinates)
    below, above = pairs(problem)
    low, high = problem.domain.bounds[0]
    assert (below[:, 0] == low).all() and (above[:, 0] == high).all()
    assert np.array_equal(below[:, 1:], above[:, 1:])
    assert problem.domain.contains(below).all() and problem.domain.contains(above).all()


SHEARED = {"polygon": [[0, 0], [2, 0], [3, 1], [1, 1]]}
STEP = {"polygon": [[0, 0], [2, 0], [2, 1], [0, 0.75]]}
CUBE = {"cuboid": {"from": [0, 0, 0], "to": [1, 1, 1]}}
CUBOID_BITE = {"cuboid": {"from": [0.5, -1, -1], "to": [2, 0.25, 2]}}

BAD = [
    ({"difference": [BRICK, LOWER_HALF]}, "x", "50 % of the points on x = 0 have .* on x = 2"),
    (SHEARED, "y", "50 % of the points on y = 0 have no partner on y = 1"),
    (
        {"polygon": [[0, 0], [1, 0], [2, 1], [1, 1]]},
        "y",
        "100 % of the points on y = 0 have no partner on y = 1",
    ),
    (STEP, "x", "25 % of the points on x = 2 have no partner on x = 0"),
    (
        # The hole ends in the upper face, which is then not part of the domain.
        {"difference": [BRICK, {"rectangle": {"from": [1, 0], "to": [2, 0.5]}}]},
        "x",
        "50 % of the points on x = 0",
    ),
    ({"difference": [CUBE, CUBOID_BITE]}, "x", "25 % of the points on x = 0 have .* on x = 1"),
    (
        {"union": [CUBE, {"cuboid": {"from": [0.5, 0, 0], "to": [1, 2, 1]}}]},
        "x",
        "50 % of the points on x = 1 have no partner on x = 0",
    ),
    ({"difference": [CUBE, CUBOID_BITE]}, "z", None),
    ({"disk": {"radius": 1}}, "x", "no flat face at x = -1"),
    ({"polygon": [[0, 0], [2, -1], [2, 1]]}, "x", "no flat face at x = 0"),
    ({"difference": [BRICK, {"disk": {"center": [2, 0.5], "radius": 0.25}}]}, "x", "50 % of"),
    (
        {"difference": [CUBE, {"ball": {"center": [0, 0.5, 0.5], "radius": 0.3}}]},
        "x",
        "28 % of the points on x = 1 have no partner on x = 0",
    ),
]


@pytest.mark.parametrize(("geometry", "along", "message"), BAD)
def test_faces_that_differ_are_refused_with_the_share(geometry, along, message):
    solid = "cuboid" in str(geometry)
    coordinates = dict.fromkeys("xyz" if solid else "xy")
    if message is None:
        built(geometry, along, coordinates)
        return
    with pytest.raises(ConfigError, match=message) as caught:
        built(geometry, along, coordinates)
    assert caught.value.path == ("problem", "conditions", "sides", "periodic")


def test_time_and_parameters_may_be_periodic():
    names = {"x": [0, 1], "t": [0, 2]}
    spec = PDESpec(
        coordinates=names,
        fields=["u"],
        equations={"heat": "u_t - u_xx - sin(pi*t)"},
        conditions={"cycle": {"periodic": "t"}},
    )
    below, above = pairs(spec.build(SobolSpec(equations=64, conditions=64), seed=1))
    assert (below[:, 1] == 0).all() and (above[:, 1] == 2).all()
