from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy import stats

from pdehvd.errors import ConfigError
from pdehvd.problems.geometry import build_domain
from pdehvd.problems.sampling import Halton, LatinHypercube, Lattice, Sobol, Uniform
from pdehvd.problems.shapes import GeometrySpec

SAMPLERS = [Uniform, Lattice, LatinHypercube, Sobol, Halton]
DISK = {"disk": {"center": [0, 0], "radius": 1}, "name": "rim"}
HOLED = {
    "difference": [{"cuboid": {"from": [0, 0, 0], "to": [1, 1, 1]}}, {"ball": {"radius": 0.5}}]
}
ELL = {"polygon": [[-1, -1], [1, -1], [1, 1], [0, 1], [0, 0], [-1, 0]]}


def geometry(data):
    return TypeAdapter(GeometrySpec).validate_python(data)


def domain_of(kind):
    if kind == "box":
        return build_domain({"x": [-1, 1], "y": [0, 3], "t": [0, 2]})
    if kind == "ode":
        return build_domain({"t": [0, 20]})
    if kind == "solid":
        return build_domain({"x": None, "y": None, "z": None}, geometry(HOLED))
    return build_domain(
        {"x": None, "y": None, "t": [0, 1]}, geometry({"disk": DISK, "ell": ELL}[kind])
    )


DOMAINS = {kind: domain_of(kind) for kind in ("box", "ode", "disk", "ell", "solid")}
REGIONS = [
    ("box", "interior"),
    ("box", "boundary"),
    ("box", ["x = -1", "t = 0"]),
    ("box", "x*y < 1"),
    ("ode", "interior"),
    ("ode", "t = 0"),
    ("disk", "interior"),
    ("disk", "rim"),
    ("disk", "t = 0"),
    ("ell", "interior"),
    ("ell", ["boundary", "t = 0"]),
    ("solid", "interior"),
    ("solid", "boundary"),
]


@pytest.mark.parametrize("sampler", [kind(9) for kind in SAMPLERS], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize(("kind", "text"), REGIONS)
@settings(max_examples=4, deadline=None)
@given(cuts=st.lists(st.integers(0, 150), max_size=3), step=st.integers(0, 3))
def test_shards_join_to_the_whole_bit_for_bit(sampler, kind, text, cuts, step):
    domain = DOMAINS[kind]
    region = domain.region(text)
    count = domain.count(region, 150, sampler)
    whole = domain.sample(region, sampler, count, 0, count, (step, 2))
    edges = [0, *sorted(min(cut, count) for cut in cuts), count]
    parts = [domain.sample(region, sampler, count, a, b, (step, 2)) for a, b in pairwise(edges)]
    assert len(whole.x) == count
    assert domain.contains(whole.x).all()
    assert np.array_equal(np.concatenate([part.x for part in parts]), whole.x)
    if whole.normals is None:
        assert all(part.normals is None for part in parts)
    else:
        assert np.array_equal(np.concatenate([part.normals for part in parts]), whole.normals)


def test_counts():
    box, ode = DOMAINS["box"], DOMAINS["ode"]
    assert box.count(box.region("interior"), 1000) == 1000
    assert box.count(box.region("interior"), 1000, Lattice(0)) == 1000
    assert box.count(box.region("interior"), 999, Lattice(0)) == 900
    assert ode.count(ode.region("t = 0"), 64) == 1
    line = build_domain({"x": [0, 1]})
    assert line.count(line.region("boundary"), 1) == 2
    assert line.sample(line.region("boundary"), Sobol(0), 2, 0, 2, ()).x.tolist() == [[0], [1]]


@pytest.mark.parametrize(("kind", "text"), REGIONS)
@pytest.mark.parametrize("count", [40, 777])
def test_a_grid_count_is_settled(kind, text, count):
    domain = DOMAINS[kind]
    region = domain.region(text)
    total = domain.count(region, count, Lattice(0))
    assert 0 < total <= count
    assert domain.count(region, total, Lattice(0)) == total
    assert total > count / 3 or region.dimension == 0


def test_points_outside_the_set_are_refused():
    domain = DOMAINS["disk"]
    with pytest.raises(ValueError, match=r"points 0\.\.11 of 10"):
        domain.sample(domain.region("interior"), Sobol(0), 10, 0, 11, ())


@pytest.mark.parametrize("sampler", [kind(1) for kind in SAMPLERS], ids=lambda s: type(s).__name__)
def test_disk_is_filled_uniformly(sampler):
    domain = build_domain({"x": None, "y": None}, geometry(DISK))
    region = domain.region("interior")
    count = domain.count(region, 4000, sampler)
    x = domain.sample(region, sampler, count, 0, count, (1,)).x
    radius = np.linalg.norm(x, axis=1)
    angle = np.arctan2(x[:, 1], x[:, 0]) / (2 * np.pi) + 0.5
    rings = np.histogram(radius**2, bins=10, range=(0, 1))[0]
    sectors = np.histogram(angle, bins=8, range=(0, 1))[0]
    assert stats.chisquare(rings).pvalue > 0.01
    assert stats.chisquare(sectors).pvalue > 0.01


def test_boundary_of_a_solid_with_a_bite_is_uniform():
    domain = DOMAINS["solid"]
    region = domain.region("boundary")
    count = 6000
    points = domain.sample(region, Uniform(2), count, 0, count, (0,))
    area = 3 + 3 * (1 - np.pi / 16) + np.pi / 8
    assert region.measure == pytest.approx(area, rel=2e-3)
    bitten = np.abs(np.linalg.norm(points.x, axis=1) - 0.5) < 1e-9
    assert bitten.mean() == pytest.approx(np.pi / 8 / area, abs=0.002)
    assert np.allclose(points.normals[bitten], -points.x[bitten] / 0.5, atol=1e-12)
    top = points.x[:, 2] == 1.0
    assert top.mean() == pytest.approx(1 / area, abs=0.02)
    assert (points.normals[top] == [0, 0, 1]).all()


def test_keys_change_rejected_points_too():
    domain = DOMAINS["ell"]
    region = domain.region("interior")
    one = domain.sample(region, Sobol(0), 64, 0, 64, (0, 0)).x
    two = domain.sample(region, Sobol(0), 64, 0, 64, (1, 0)).x
    assert not np.isin(one, two).any()


def test_callers_may_write_into_their_points():
    domain = DOMAINS["disk"]
    region = domain.region("interior")
    first = domain.sample(region, Sobol(0), 64, 0, 64, (0, 0))
    kept = first.x.copy()
    first.x[:] = 0
    assert np.array_equal(domain.sample(region, Sobol(0), 64, 0, 64, (0, 0)).x, kept)


def test_box_from_expressions_and_constants():
    domain = build_domain({"x": [0, "2*pi"], "time": ["-T", "T"]}, constants={"T": 0.5})
    assert domain.bounds.tolist() == [[0, 2 * np.pi], [-0.5, 0.5]]
    assert (domain.names, domain.time, domain.space) == (("x", "time"), "time", ("x",))
    assert build_domain({"x": [0, 1], "y": [0, 1]}).time is None


def test_containment_includes_the_boundary():
    box = DOMAINS["box"]
    x = np.array([[-1, 0, 0], [1, 3, 2], [0, 1, 1], [1.01, 0, 0], [0, 0, -0.1]])
    assert box.contains(x).tolist() == [True, True, True, False, False]
    ell = DOMAINS["ell"]
    x = np.array([[-0.5, -0.5, 0.5], [-0.5, 0.5, 0.5], [0, 0.5, 1], [0.5, 0.5, 1.5], [-1, -1, 0]])
    assert ell.contains(x).tolist() == [True, False, True, False, True]
    assert ell.contains(np.zeros((0, 3))).shape == (0,)


def test_shape_takes_the_first_spatial_coordinates():
    domain = build_domain({"t": [0, 1], "x": [-2, 2], "y": None, "z": [0, 5]}, geometry(DISK))
    assert domain.bounds.tolist() == [[0, 1], [-1, 1], [-1, 1], [0, 5]]
    assert domain.contains(np.array([[0.5, 0.5, 0.5, 4], [0.5, 0.9, 0.9, 4]])).tolist() == [
        True,
        False,
    ]


def test_a_bare_rectangle_is_a_box():
    domain = build_domain(
        {"x": None, "y": None}, geometry({"rectangle": {"from": [0, 0], "to": [2, 1]}})
    )
    assert domain.bounds.tolist() == [[0, 2], [0, 1]]
    assert len(domain.region("boundary").pieces) == 4
    named = {"rectangle": {"from": [0, 0], "to": [2, 1]}, "name": "wall"}
    domain = build_domain({"x": None, "y": None}, geometry(named))
    assert domain.boundaries == ("wall",)
    assert domain.region("wall").measure == 6.0
    assert domain.region("x = 0").measure == 1.0


@pytest.mark.parametrize(
    ("coordinates", "shape", "path", "message"),
    [
        ({}, None, ("coordinates",), "no coordinates"),
        ({"x": None}, None, ("coordinates", "x"), "x has no bounds"),
        ({"x": [1, 0]}, None, ("coordinates", "x"), "not below"),
        ({"x": [1, 1]}, None, ("coordinates", "x"), "not below"),
        ({"x": [0, 1, 2]}, None, ("coordinates", "x"), "is not an interval"),
        ({"x": 3}, None, ("coordinates", "x"), "is not an interval"),
        ({"x": [0, "q"]}, None, ("coordinates", "x", 1), "unknown name 'q'"),
        ({"x": [0, float("inf")]}, None, ("coordinates", "x", 1), "not finite"),
        ({"x": [0, 1], "t": [0, 1], "time": [0, 1]}, None, ("coordinates",), "both t and time"),
        ({"x": [0, 1], "y": None}, DISK, ("coordinates", "x"), "does not contain the geometry"),
        ({"x": None, "t": [0, 1]}, DISK, ("geometry",), "2 dimensions with 1"),
        ({"x": None, "y": None}, {**DISK, "name": "x"}, ("geometry",), "cannot be named 'x'"),
        (
            {"x": None, "y": None},
            {"polygon": [[0, 0], [1, 1], [1, 1.00001]]},
            ("geometry",),
            "too little to be sampled",
        ),
        ({"x": None, "y": None}, {"polygon": [[0, 0]]}, ("geometry",), "1 corners"),
    ],
)
def test_bad_domains_are_refused(coordinates, shape, path, message):
    with pytest.raises(ConfigError, match=message) as caught:
        build_domain(coordinates, geometry(shape) if shape else None)
    assert caught.value.path == path
