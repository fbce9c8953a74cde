import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pdehvd.errors import ConfigError
from pdehvd.problems.geometry import build_domain
from pdehvd.problems.regions import apportion
from pdehvd.problems.sampling import Sobol
from pdehvd.problems.shapes import GeometrySpec

SAMPLER = Sobol(3)


def geometry(data):
    return TypeAdapter(GeometrySpec).validate_python(data)


BOX = build_domain({"x": [-1, 1], "y": [0, 3], "t": [0, 2]}, constants={"L": 1.0})
CHANNEL = build_domain(
    {"x": None, "y": None, "t": [0, 2]},
    geometry(
        {
            "difference": [
                {"rectangle": {"from": [0, 0], "to": [4, 1]}},
                {"disk": {"center": [1, 0.5], "radius": 0.25}, "name": "obstacle"},
            ]
        }
    ),
)
CORNER = build_domain(
    {"x": None, "y": None},
    geometry({"polygon": [[-1, -1], [1, -1], [1, 1], [0, 1], [0, 0], [-1, 0]]}),
)
LINE = build_domain({"x": [0, 1]})
ODE = build_domain({"t": [0, 20]})


def draw(domain, text, count=400):
    region = domain.region(text)
    total = domain.count(region, count, SAMPLER)
    return domain.sample(region, SAMPLER, total, 0, total, (0, 0))


@pytest.mark.parametrize(
    ("domain", "text", "measure", "pieces"),
    [
        (BOX, "interior", 12.0, 1),
        (BOX, "boundary", 2 * (3 * 2) + 2 * (2 * 2), 4),
        (BOX, "x = -1", 6.0, 1),
        (BOX, "-x = L", 6.0, 1),
        (BOX, "2*x = 2", 6.0, 1),
        (BOX, "t = 0", 6.0, 1),
        (BOX, ["x = -1", "t = 0"], 12.0, 2),
        (BOX, "x = -1 or x = 1", 12.0, 2),
        (BOX, "(x = -1 or x = 1) and y < 1", 4.0, 2),
        (BOX, "x = -1 and y <= 1", 2.0, 1),
        (BOX, "x = -1 and t = 0", 3.0, 1),
        (BOX, "x = -1 and y = 0 and t = 0", 1.0, 1),
        (BOX, "boundary and t = 0", 10.0, 4),
        (BOX, "boundary and y > 2.5", 4 + 2 * 1.0, 3),
        (BOX, "boundary and x = 1", 6.0, 1),
        (BOX, "interior and 0 < x", 6.0, 1),
        (BOX, "0 < x and x < 0.5", 3.0, 1),
        (BOX, "x = 0.5", 6.0, 1),
        (LINE, "boundary", 2.0, 2),
        (LINE, "x = 0", 1.0, 1),
        (ODE, "t = 0", 1.0, 1),
        (ODE, "interior", 20.0, 1),
        (CORNER, "interior", 3.0, 1),
        (CORNER, "boundary", 8.0, 1),
        (CORNER, "x = 0", 1.0, 1),
        (CORNER, "x = -1", 1.0, 1),
        (CHANNEL, "obstacle", np.pi, 1),
        (CHANNEL, "x = 0", 2.0, 1),
    ],
)
def test_measures_of_exact_regions(domain, text, measure, pieces):
    region = domain.region(text)
    assert domain.measure(region) == pytest.approx(measure, rel=1e-12)
    assert len(region.pieces) == pieces


@pytest.mark.parametrize(
    ("domain", "text", "measure"),
    [
        (BOX, "x^2 + (y - 1)^2 < 1/4", np.pi / 2),
        (BOX, "t = 0 and x^2 + (y - 1)^2 < 1/4", np.pi / 4),
        (BOX, "x < -0.5 or x > 0.5", 6.0),
        (CHANNEL, "interior", 2 * (4 - np.pi / 16)),
        (CHANNEL, "boundary", 2 * (10 + np.pi / 2)),
        (CHANNEL, "obstacle and x < 1", np.pi / 2),
        (CHANNEL, "obstacle and t < 1", np.pi / 2),
        (CHANNEL, "t = 0", 4 - np.pi / 16),
        (CHANNEL, "x = 0 and y < 0.25", 0.5),
        (CHANNEL, "boundary and x > 2", 2 * 5),
        (CHANNEL, "x = 1", 1.0),
        (CORNER, "x = 0.5", 2.0),
        (CORNER, "x < 0", 1.0),
    ],
)
def test_measures_of_filtered_regions(domain, text, measure):
    assert domain.measure(domain.region(text)) == pytest.approx(measure, rel=2e-3)


@pytest.mark.parametrize(
    ("domain", "text", "axis", "value", "normal"),
    [
        (BOX, "x = -1", 0, -1.0, [-1, 0, 0]),
        (BOX, "x = 1", 0, 1.0, [1, 0, 0]),
        (BOX, "y = 3", 1, 3.0, [0, 1, 0]),
        (BOX, "x = 1 and t = 0", 0, 1.0, [1, 0, 0]),
        (CHANNEL, "x = 0", 0, 0.0, [-1, 0, 0]),
        (CHANNEL, "y = 1", 1, 1.0, [0, 1, 0]),
        (CORNER, "x = 0", 0, 0.0, [-1, 0]),
        (LINE, "x = 1", 0, 1.0, [1]),
    ],
)
def test_faces_are_met_exactly_with_outward_normals(domain, text, axis, value, normal):
    points = draw(domain, text)
    assert (points.x[:, axis] == value).all()
    assert np.array_equal(points.normals, np.tile(normal, (len(points.x), 1)))
    assert domain.contains(points.x).all()


@pytest.mark.parametrize(
    ("domain", "text"),
    [
        *((BOX, text) for text in ("interior", "x = 0.5", "x > 0", "x = -1 and y = 0")),
        (BOX, "t = 0"),
        (BOX, "t >= 2"),
        (CHANNEL, "t = 2"),
        (CHANNEL, "x = 2"),
        (ODE, "t = 0"),
    ],
)
def test_no_normals_where_there_is_no_single_one(domain, text):
    assert draw(domain, text).normals is None


def test_a_bound_is_met_despite_rounding():
    domain = build_domain({"x": [0, 0.3]})
    assert draw(domain, "x = 0.1 + 0.2").x.tolist() == [[0.3]]


@pytest.mark.parametrize("signs", ["y < 0.3", "not (y >= 0.3)"])
def test_values_of_one_coordinate_that_differ_by_rounding_are_one(signs):
    # The face of a part of a union, which is no bound of the domain.
    union = {
        "union": [
            {"rectangle": {"from": [0, 0.1 + 0.2], "to": [2, 1]}},
            {"rectangle": {"from": [0, 0], "to": [1, 1]}},
        ]
    }
    shape = TypeAdapter(GeometrySpec).validate_python(union)
    domain = build_domain({"x": None, "y": None}, shape)
    face = 0.1 + 0.2
    with pytest.raises(ConfigError, match="never holds"):
        domain.region(f"y = {face!r} and {signs}")
    region = domain.region(f"y = {face!r} and ({signs} or x > 1.5)")
    assert region.oriented and region.measure == pytest.approx(0.5, rel=1e-2)


def test_named_curve_has_exact_points_and_normals():
    points = draw(CHANNEL, "obstacle")
    away = points.x[:, :2] - [1, 0.5]
    assert np.abs(np.linalg.norm(away, axis=1) - 0.25).max() < 1e-15
    assert np.allclose(points.normals[:, :2], -away / 0.25, atol=1e-12)
    assert (points.normals[:, 2] == 0).all()


def test_filters_hold_for_all_points():
    x = draw(BOX, "x^2 + (y - 1)^2 < 1/4").x
    assert (x[:, 0] ** 2 + (x[:, 1] - 1) ** 2 < 0.25).all()
    x = draw(CHANNEL, "obstacle and x < 1 and t > 1").x
    assert (x[:, 0] < 1).all() and (x[:, 2] > 1).all()
    x = draw(BOX, "(x = -1 or x = 1) and y < 1").x
    assert set(x[:, 0]) == {-1.0, 1.0} and (x[:, 1] < 1).all()


def test_points_are_split_over_faces_by_area():
    x = draw(BOX, "boundary", 1000).x
    counts = [(x[:, 0] == -1).sum(), (x[:, 0] == 1).sum(), (x[:, 1] == 0).sum()]
    assert counts == [300, 300, 200]
    assert (x[:, 1] == 3).sum() == 200


@given(
    st.integers(0, 10000),
    st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8),
)
def test_split_is_exact_and_proportional(count, measures):
    shares = apportion(count, np.array(measures))
    exact = count * np.array(measures) / sum(measures)
    assert sum(shares) == count
    assert min(shares) >= (1 if count >= len(shares) else 0)
    if count < len(shares) or exact.min() >= 1:
        assert (np.abs(shares - exact) < 1 + 1e-9).all()


def test_z_box_over_a_plane_shape_has_lids():
    pipe = build_domain({"x": None, "y": None, "z": [0, 5]}, geometry({"disk": {"radius": 1}}))
    region = pipe.region("boundary")
    assert region.measure == pytest.approx(2 * np.pi * 5 + 2 * np.pi, rel=1e-12)
    points = draw(pipe, "z = 5")
    assert np.array_equal(points.normals, np.tile([0, 0, 1], (len(points.x), 1)))
    assert (np.linalg.norm(points.x[:, :2], axis=1) <= 1).all()


@pytest.mark.parametrize(
    ("domain", "text", "message", "nearest"),
    [
        (BOX, "x = 2", r"x = 2 is outside x in \[-1, 1\]", "x = 1"),
        (BOX, "y = -0.1", r"y = -0.1 is outside y in \[0, 3\]", "y = 0"),
        (BOX, "t = 3", "t = 3 is outside", "t = 2"),
        (CHANNEL, "x = 5", r"x = 5 is outside x in \[0, 4\]", "x = 4"),
        (BOX, "interor", "'interor' names no region", "interior"),
        (CHANNEL, "obstcle", "'obstcle' names no region", "obstacle"),
        (BOX, "z = 1", "unknown name 'z'", ""),
        (BOX, "x > 2", "x above 2 is outside", ""),
        (BOX, "x < -2", "x below -2 is outside", ""),
        (BOX, "x = 0 and x > 0.5", "never holds", ""),
        (BOX, "x = 0 and x = 1", "cannot be both 0 and 1", ""),
        (BOX, "x^2 + y^2 = 1", "does not fix one coordinate", ""),
        (BOX, "x = y", "does not fix one coordinate", ""),
        (BOX, "0 = 1", "never holds", ""),
        (BOX, "x*x < -1", "never holds", ""),
        (BOX, "x^2 + y^2 < 1e-8", "leaves nothing", ""),
        (CHANNEL, "obstacle and x > 3", "leaves nothing", ""),
        (ODE, "boundary", "no boundary in space", ""),
        (BOX, "", "empty", ""),
        (BOX, "x + 1", "not a condition", ""),
        (BOX, "x => 0", r"write >= \(condition, column 3\)", ""),
        (BOX, "boundary and x =< 0", r"write <= \(condition, column 16\)", ""),
        (BOX, [], "empty list", ""),
        (BOX, "__import__('os')", "not allowed", ""),
        (BOX, 5, "5 names no region", ""),
    ],
)
def test_bad_texts_are_refused(domain, text, message, nearest):
    with pytest.raises(ConfigError, match=message) as caught:
        domain.region(text)
    assert caught.value.nearest == nearest


def test_errors_in_a_list_name_the_entry():
    with pytest.raises(ConfigError) as caught:
        BOX.region(["x = -1", "x = 7"])
    assert caught.value.path == (1,)
    with pytest.raises(ConfigError, match="different dimensions"):
        BOX.region(["x = -1", "x = 1 and t = 0"])


def test_too_many_alternatives_do_not_hang():
    text = " and ".join(f"(x = {i}/100 or y < {i}/100)" for i in range(1, 40))
    with pytest.raises(ConfigError, match="too many alternatives"):
        BOX.region(text)
