"""`<` and `<=` mean what they say on faces: regions against an evaluation by NumPy and shapely."""

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy.stats import qmc

from pdehvd.errors import ConfigError
from pdehvd.problems.geometry import build_domain
from pdehvd.problems.sampling import Lattice, Sobol, Uniform
from pdehvd.problems.shapes import GeometrySpec

ROUNDING = 1e-8
# The same number in several notations; in floating point they differ by rounding.
INTERVALS = [
    (("0", "0.1 - 0.1"), ("1", "0.1*10", "10/10")),
    (("-0.3", "0.1*(-3)", "-3/10"), ("0.3", "0.1*3", "0.30000000000000004")),
    (("-pi", "-3.141592653589793"), ("2*pi", "6.283185307179586", "4*acos(0)")),
    (("1/3", "0.3333333333333333"), ("7/3", "2.3333333333333335", "2 + 1/3")),
]
NAMES = ("x", "y", "z")
SIGNS = {
    "<": lambda gap: gap < -ROUNDING,
    "<=": lambda gap: gap <= ROUNDING,
    ">": lambda gap: gap > ROUNDING,
    ">=": lambda gap: gap >= -ROUNDING,
}


def number(text):
    return float(eval(text, {"pi": np.pi, "acos": np.arccos}))


class Literal:
    """A comparison: its text, and its truth at points [N, D]."""

    def __init__(self, text, function, sign, value):
        self.text = f"{text} {sign} {value}"
        self.function, self.sign, self.value = function, sign, number(value)

    def __call__(self, x):
        return SIGNS[self.sign](self.function(x) - self.value)


class Join:
    def __init__(self, word, parts):
        self.text = f" {word} ".join(f"({part.text})" for part in parts)
        self.word, self.parts = word, parts

    def __call__(self, x):
        join = np.logical_and if self.word == "and" else np.logical_or
        return join.reduce([part(x) for part in self.parts])


class Negation:
    def __init__(self, part):
        self.text, self.part = f"not ({part.text})", part

    def __call__(self, x):
        return ~self.part(x)


@st.composite
def boxes(draw):
    size = draw(st.integers(1, 3))
    chosen = [draw(st.sampled_from(INTERVALS)) for _ in range(size)]
    coordinates = {
        name: [draw(st.sampled_from(end)) for end in ends]
        for name, ends in zip(NAMES, chosen, strict=False)
    }
    return coordinates, chosen


@st.composite
def literals(draw, chosen):
    axis = draw(st.integers(0, len(chosen) - 1))
    low, high = chosen[axis]
    middle = f"({low[0]} + {high[0]})/2"
    sign = draw(st.sampled_from(sorted(SIGNS)))
    kind = draw(st.sampled_from(["one", "one", "one", "sum", "size"]))
    if kind == "size":
        value = f"({high[0]} - {low[0]})/2"
        center = number(middle)
        return Literal(
            f"abs({NAMES[axis]} - ({middle}))", lambda x: np.abs(x[:, axis] - center), sign, value
        )
    if kind == "sum" and len(chosen) > 1:
        other = (axis + 1) % len(chosen)
        ends = [draw(st.sampled_from(chosen[i]))[0] for i in (axis, other)]
        text = f"{NAMES[axis]} + {NAMES[other]}"
        return Literal(text, lambda x: x[:, axis] + x[:, other], sign, " + ".join(ends))
    value = draw(st.sampled_from([*low, *high, *low, *high, middle]))
    return Literal(NAMES[axis], lambda x: x[:, axis], sign, value)


def conditions(chosen):
    return st.recursive(
        literals(chosen),
        lambda part: st.one_of(
            st.builds(Join, st.sampled_from(["and", "or"]), st.lists(part, min_size=2, max_size=3)),
            st.builds(Negation, part),
        ),
        max_leaves=4,
    )


def walls(bounds):
    """Return points on each face of a box, with its measure."""
    unit = qmc.Sobol(len(bounds), seed=0).random_base2(13)
    for axis in range(len(bounds)):
        rest = np.delete(np.ptp(bounds, axis=1), axis)
        for end in bounds[axis]:
            x = bounds[:, 0] + np.ptp(bounds, axis=1) * unit
            x[:, axis] = end
            yield x, float(np.prod(rest))


def drawn(domain, region, sampler):
    count = domain.count(region, 300, sampler)
    return domain.sample(region, sampler, count, 0, count, ()).x


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_parts_of_a_boxs_boundary_are_those_of_numpy(data):
    coordinates, chosen = data.draw(boxes())
    condition = data.draw(conditions(chosen))
    domain = build_domain(coordinates)
    expected = sum(size * condition(x).mean() for x, size in walls(domain.bounds))
    text = f"boundary and ({condition.text})"
    try:
        region = domain.region(text)
    except ConfigError as error:
        assert expected == 0 or "always holds" in str(error), text
        return
    if expected == 0:
        assert region.dimension < len(domain.names) - 1, text
        return
    assert region.dimension == len(domain.names) - 1
    assert region.measure == pytest.approx(expected, rel=0.01), text
    assert region.oriented
    for sampler in (Sobol(1), Lattice(1)):
        x = drawn(domain, region, sampler)
        assert condition(x).all(), text
        on_wall = np.abs(x[:, :, None] - domain.bounds) <= ROUNDING
        assert on_wall.any(axis=(1, 2)).all()


PLANE = {
    "diamond": {"polygon": [[1, 0], [2, 1], [1, 2], [0, 1]]},
    "turned": {"polygon": [[0.1, 0.2], [0.4, 0.6], [0, 0.9], [-0.3, 0.5]]},
    "house": {
        "union": [
            {"rectangle": {"from": [0, 0], "to": [2, 1]}},
            {"polygon": [[0, 1], [2, 1], [1, 2]]},
        ]
    },
    "bitten": {
        "difference": [
            {"rectangle": {"from": [0, 0], "to": [2, 1]}},
            {"polygon": [[1, -1], [3, -1], [3, 0.5], [1, 0.5]]},
        ]
    },
}
# Values of x + y, y - x, 4*x - 3*y, 3*x + 4*y, x and y on the sides of the shapes.
SIDES = [
    ("x + y", lambda x: x[:, 0] + x[:, 1], ["1", "3", "0.3*10"]),
    ("y - x", lambda x: x[:, 1] - x[:, 0], ["1", "-1"]),
    ("4*x - 3*y", lambda x: 4 * x[:, 0] - 3 * x[:, 1], ["-0.2", "-2.7", "-0.9*3"]),
    ("3*x + 4*y", lambda x: 3 * x[:, 0] + 4 * x[:, 1], ["1.1", "3.6", "1.2*3"]),
    ("x", lambda x: x[:, 0], ["0", "1", "2"]),
    ("y", lambda x: x[:, 1], ["0", "0.5", "1"]),
]


@st.composite
def side_literals(draw):
    text, function, values = draw(st.sampled_from(SIDES))
    sign = draw(st.sampled_from(sorted(SIGNS)))
    return Literal(text, function, sign, draw(st.sampled_from(values)))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(PLANE)),
    st.recursive(
        side_literals(),
        lambda part: st.one_of(
            st.builds(Join, st.sampled_from(["and", "or"]), st.lists(part, min_size=2, max_size=2)),
            st.builds(Negation, part),
        ),
        max_leaves=3,
    ),
)
def test_sides_of_a_shape_are_those_of_shapely(name, condition):
    geometry = TypeAdapter(GeometrySpec).validate_python(PLANE[name])
    domain = build_domain({"x": None, "y": None}, geometry)
    rim = domain.frame.shape.outline.boundary
    along = (np.arange(8000) + 0.5) * (rim.length / 8000)
    x = shapely.get_coordinates(shapely.line_interpolate_point(rim, along))
    expected = rim.length * condition(x).mean()
    text = f"boundary and ({condition.text})"
    try:
        region = domain.region(text)
    except ConfigError as error:
        assert expected < 0.01 or "always holds" in str(error), text
        return
    assume(region.dimension == 1)
    assert region.measure == pytest.approx(expected, rel=0.01), text
    points = drawn(domain, region, Uniform(2))
    assert condition(points).all(), text
    assert shapely.distance(rim, shapely.points(points)).max() < 1e-9


BOX = build_domain({"x": [0, 1], "y": [0, 1], "z": [0, 1], "t": [0, 1]})


@pytest.mark.parametrize(
    ("text", "faces"),
    [
        ("boundary and y < 1", 5),
        ("boundary and y <= 1", 6),
        ("boundary and 0 < y", 5),
        ("boundary and 0 < y < 1", 4),
        ("boundary and y < 1 and x > 0", 4),
        ("boundary and not y >= 1", 5),
        ("boundary and not (y = 1)", 5),
        ("boundary and not (y = 1 or x = 0)", 4),
        ("boundary and (y < 1 or x = 0)", 5),
        ("boundary and (y = 0 or y = 1 or x = 0) and y < 1", 2),
        ("boundary and y <= 0", 1),
        ("y >= 1", 1),
        ("boundary and 1 <= y and t > 0", 1),
    ],
)
def test_whole_faces(text, faces):
    region = BOX.region(text)
    assert region.measure == pytest.approx(faces, rel=1e-12)
    assert region.dimension == 3 and region.oriented


@pytest.mark.parametrize(
    ("text", "measure", "dimension"),
    [
        ("x = 0 and y = 0 and z < 1 and t = 0", 1, 1),
        ("boundary and t = 0 and x < 1", 5, 2),
        ("boundary and t <= 0 and x < 1", 5, 2),
        ("x <= 0 and y <= 0 and z <= 0 and t <= 0", 1, 0),
    ],
)
def test_edges_and_corners(text, measure, dimension):
    region = BOX.region(text)
    assert region.measure == pytest.approx(measure, rel=1e-12)
    assert region.dimension == dimension


@pytest.mark.parametrize(
    ("word", "face"),
    [
        ("left", "x = 0"),
        ("Right", "x = 1"),
        ("top", "z = 1"),
        ("initial", "t = 0"),
        ("edge", "boundary"),
    ],
)
def test_what_people_call_faces(word, face):
    with pytest.raises(ConfigError, match=f"'{word}' names no region") as caught:
        BOX.region(word)
    assert caught.value.nearest == face


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y < 0", "y below 0 is outside"),
        ("boundary and y > 1", "y above 1 is outside"),
        ("y = 1 and y < 1", "never holds"),
        ("boundary and y > 0.5 and y < 0.5", "never holds"),
        ("x = 0 and y = 0 and y > 0", "never holds"),
        ("y < 1 and boundary", "'boundary' cannot stand inside"),
    ],
)
def test_what_strict_signs_leave_empty_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        BOX.region(text)


def test_strict_signs_on_shapes_beside_boxes():
    geometry = TypeAdapter(GeometrySpec).validate_python(PLANE["bitten"])
    pipe = build_domain({"x": None, "y": None, "z": [0, 3]}, geometry)
    around, area = 6.0, 1.5
    assert pipe.region("boundary and z < 3").measure == pytest.approx(3 * around + area, rel=2e-3)
    assert pipe.region("boundary and y < 1").measure == pytest.approx(
        3 * (around - 2) + 2 * area, rel=2e-3
    )
    assert pipe.region("boundary and y >= 1").measure == pytest.approx(6, rel=2e-3)
    assert pipe.region("boundary and z <= 0 and y < 1").measure == pytest.approx(area, rel=2e-3)


def test_solids_by_the_faces_that_strict_signs_leave():
    cube = TypeAdapter(GeometrySpec).validate_python(
        {
            "difference": [
                {"cuboid": {"from": [0, 0, 0], "to": [1, 1, 1]}},
                {"ball": {"center": [0.5, 0.5, 0.5], "radius": 0.25}, "name": "cavity"},
            ]
        }
    )
    body = build_domain({"x": None, "y": None, "z": None}, cube)
    sphere = np.pi / 4
    assert body.region("boundary and z < 1").measure == pytest.approx(5 + sphere, rel=2e-3)
    assert body.region("boundary and x + y + z > 0").measure == pytest.approx(6 + sphere, rel=2e-3)
    assert body.region("boundary and z >= 0.1*10").measure == pytest.approx(1, rel=2e-3)
