"""Conditions by construction on faces, curves and surfaces: functions that vanish there."""

import numpy as np
import pytest
import sympy
from pydantic import TypeAdapter

from pdehvd.errors import ConfigError
from pdehvd.numerics.compiling import compile_numpy
from pdehvd.problems.pde import PDESpec
from pdehvd.problems.sampling import SobolSpec
from pdehvd.problems.sequences import Sobol
from pdehvd.problems.shapes import GeometrySpec

DISK = {"disk": {"center": [0.2, 0.1], "radius": 0.4}}
BOX = {"rectangle": {"from": [-1, -0.5], "to": [1, 0.5]}}
SHAPES = {
    "rectangle": BOX,
    "ellipse": {"ellipse": {"center": [1, 2], "radii": [2, 0.5], "angle": 0.6}},
    "triangle": {"polygon": [[0, 0], [2, 0.5], [0.5, 2]]},
    "hole": {"difference": [BOX, DISK]},
    "square hole": {
        "difference": [{"disk": {"radius": 2}}, {"rectangle": {"from": [-1, -1], "to": [0, 1]}}]
    },
    "lens": {"intersection": [DISK, {"disk": {"center": [0.5, 0.1], "radius": 0.4}}]},
    "union": {"union": [BOX, {"disk": {"center": [1, 0], "radius": 0.5}}]},
    "union with a hole": {
        "difference": [{"union": [BOX, {"disk": {"radius": 0.8}}]}, {"disk": {"radius": 0.2}}]
    },
    "ball": {"ball": {"center": [1, 0, 0], "radius": 2}},
    "cylinder": {"cylinder": {"from": [0, 0, 0], "to": [1, 1, 1], "radius": 0.5}},
    "box with a channel": {
        "difference": [
            {"cuboid": {"from": [0, 0, 0], "to": [1, 1, 1]}},
            {"cylinder": {"from": [0.5, 0.5, -1], "to": [0.5, 0.5, 2], "radius": 0.2}},
        ]
    },
}


def built(shape=None, on="boundary", **keys):
    names = "xyz"[: 3 if shape and any(n in str(shape) for n in ("ball", "cylinder")) else 2]
    spec = PDESpec(
        coordinates={**dict.fromkeys(names, None if shape else [0, 2]), "t": [0, 3]},
        geometry=None if shape is None else TypeAdapter(GeometrySpec).validate_python(shape),
        fields=["u"],
        equations={"heat": "u_t - laplacian(u)"},
        hard={"u": {"on": on, **keys}},
    )
    return spec.build(SobolSpec(equations=16), seed=1)


def values(problem, x, network=1.0):
    (function,) = [compile_numpy([problem.hard["u"]], [*problem.coordinates, "network"])]
    columns = dict(zip(problem.coordinates, x.T, strict=True))
    return function(columns | {"network": np.full(len(x), network)})[0]


def drawn(problem, text, count=500):
    domain = problem.domain
    region, sampler = domain.region(text), Sobol(1)
    total = domain.count(region, count, sampler)
    return domain.sample(region, sampler, total, 0, total, ()).x


@pytest.mark.parametrize(
    "name",
    # Derivatives of compound shapes in space take a minute to write out.
    [pytest.param(n, marks=pytest.mark.nightly) if "channel" in n else n for n in SHAPES],
)
def test_the_field_has_its_values_on_the_whole_boundary_and_is_free_inside(name):
    problem = built(SHAPES[name], equal="x + t")
    walls = drawn(problem, "boundary")
    np.testing.assert_allclose(values(problem, walls, 100.0), walls[:, 0] + walls[:, -1], atol=1e-6)
    inside = drawn(problem, "interior", 2000)
    phi = values(problem, inside) - inside[:, 0] - inside[:, -1]
    assert phi.min() > 0 and phi.max() == pytest.approx(1, abs=0.05)
    # Its slope on the boundary is not zero, so that a flux can have any value there.
    centre = inside.mean(axis=0)
    near = walls + 1e-4 * (centre - walls)
    near = near[problem.domain.contains(near)]
    assert np.median(values(problem, near) - near[:, 0] - near[:, -1]) > 1e-6


def test_a_box_has_a_polynomial():
    form = built(on=["boundary", "t = 0"], equal=0).hard["u"]
    x, y, t, network = sympy.symbols("x y t network", real=True)
    assert sympy.simplify(form / (x * (2 - x) * y * (2 - y) * t * network)).is_number


def test_a_named_boundary_and_an_initial_value():
    shape = {"difference": [BOX, {**DISK, "name": "hole"}]}
    problem = built(shape, on=["hole", "t = 0"], equal="1", network="5*network")
    for region in ("hole", "t = 0"):
        np.testing.assert_allclose(values(problem, drawn(problem, region)), 1, atol=1e-9)
    free = drawn(problem, "x = 1")
    assert np.abs(values(problem, free) - 1).max() > 0.1


@pytest.mark.parametrize(
    ("shape", "keys", "words"),
    [
        (
            None,
            {"on": "bondary"},
            r"hard\.u\.on: 'bondary' names no region",
        ),
        (None, {"on": "boundary and x < 1"}, "is a part of a region"),
        (None, {"on": ["t = 0", "x > 1"]}, r"hard\.u\.on\.1: 'x > 1' is a part of a region"),
        (None, {"on": "t = 5"}, r"hard\.u\.on: t = 5 is outside"),
        (None, {"on": "t = 0", "equal": "v"}, r"hard\.u\.equal: unknown name 'v'"),
        ({"polygon": [[0, 0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2]]}, {}, "that is not convex"),
    ],
)
def test_what_cannot_be_done_is_one_message(shape, keys, words):
    with pytest.raises(ConfigError, match=words):
        built(shape, **keys)


def test_a_field_of_fewer_coordinates_has_no_values_elsewhere():
    with pytest.raises(ConfigError, match=r"hard\.s\.on: s does not depend on x"):
        PDESpec(
            coordinates={"x": [0, 1], "t": [0, 1]},
            fields={"u": ["x", "t"], "s": ["t"]},
            equations={"one": "u_t - u_xx", "two": "s_t - s"},
            hard={"s": {"on": "x = 0"}},
        ).build(SobolSpec(equations=8), seed=1)
