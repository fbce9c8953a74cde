"""Integrals over shapes agree with closed forms, or with SciPy's, to 1e-10."""

import os
import subprocess
import sys

import numpy as np
import pytest
import trimesh
from scipy.integrate import quad
from scipy.special import iv

import pdehvd.reference  # noqa: F401 - a problem may name one
from pdehvd.errors import ConfigError
from pdehvd.problems.pde import PDESpec
from pdehvd.problems.sampling import SobolSpec
from tests.support.launcher import nightly

BOUND = 1e-10
DISK = {"disk": {"center": [0.5, -0.2], "radius": 1.5}}
SQUARE = {"rectangle": {"from": [-1, -1], "to": [1, 1]}}
CUBE = {"cuboid": {"from": [-1, -1, -1], "to": [1, 1, 1]}}


def integral_block(geometry, coordinates="xy", over=None, at=None, equal=0, **more):
    names = dict.fromkeys(coordinates) | more
    condition = {"integral": "u", "equal": equal}
    condition |= {"over": over} if over else {}
    condition |= {"at": at} if at else {}
    spec = PDESpec(
        coordinates=names,
        geometry=geometry,
        fields=["u"],
        equations={"one": " + ".join(f"u_{name}{name}" for name in names)},
        conditions={"total": condition},
    )
    return spec.build(SobolSpec(equations=64), seed=1)


def integrals(problem, function):
    """Return the integrals [I] of a function of points [N, D]."""
    source = problem.blocks[1].source
    items = source.items(0, 0, source.count)
    assert problem.domain.contains(items.x[items.extras["__quadrature"] != 0]).all()
    values = items.extras["__quadrature"] * function(items.x)
    return values.reshape(source.count, -1).sum(axis=1)


def wave(k):
    return lambda x: np.exp(x @ np.asarray(k, dtype=float))


def over_interval(function, low, high):
    return quad(function, low, high, epsabs=1e-13, epsrel=1e-13, limit=200)[0]


def of_disk(k, center=(0, 0), radius=1.0):
    size = np.linalg.norm(k)
    return np.exp(np.dot(k, center)) * 2 * np.pi * radius * iv(1, size * radius) / size


def of_segment(k, low, high):
    return high - low if k == 0 else (np.exp(k * high) - np.exp(k * low)) / k


def of_box(k, low, high):
    return np.prod([of_segment(*part) for part in zip(k, low, high, strict=True)])


def of_triangle(k, corners):
    """Over s, t >= 0, s + t <= 1 of p + s a + t b, by one quadrature."""
    p, a, b = np.array(corners[0]), *np.subtract(corners[1:], corners[0])

    def inner(s):
        return np.exp(k @ (p + s * a)) * of_segment(k @ b, 0.0, 1.0 - s)

    return abs(a[0] * b[1] - a[1] * b[0]) * over_interval(inner, 0.0, 1.0)


def of_ball(k, center=(0, 0, 0), radius=1.0):
    size = np.linalg.norm(k) * radius
    mean = 4 * np.pi * (size * np.cosh(size) - np.sinh(size)) / size**3
    return np.exp(np.dot(k, center)) * radius**3 * mean


def of_rod(k, start, stop, radius):
    along = np.subtract(stop, start)
    length = np.linalg.norm(along)
    slope = k @ along / length
    side = np.sqrt(max(k @ k - slope**2, 0.0))
    disk = of_disk([side, 0.0], radius=radius) if side > 1e-12 else np.pi * radius**2
    return np.exp(k @ np.array(start)) * disk * of_segment(slope, 0.0, length)


K2 = np.array([1.3, -0.7])
CORNERS = [[0, 0], [3, 0.2], [1, 1], [0.4, 2.5]]
LENS = {"intersection": [{"disk": {"radius": 1}}, {"disk": {"center": [1, 0], "radius": 1}}]}
TURNED = {"ellipse": {"center": [0.3, 0.2], "radii": [2, 0.5], "angle": 0.7}}
HOLE = {"disk": {"center": [0.3, 0.2], "radius": 0.25}}


def _of_ellipse():
    cos, sin = np.cos(0.7), np.sin(0.7)
    own = np.array([[cos, sin], [-sin, cos]]) @ K2 * [2, 0.5]
    return np.exp(K2 @ [0.3, 0.2]) * of_disk(own)


def _of_lens():
    def column(x):
        half = np.sqrt(max(min(1 - x**2, 1 - (x - 1) ** 2), 0.0))
        return np.exp(K2[0] * x) * of_segment(K2[1], -half, half)

    # x = sin makes the ends smooth.
    left = over_interval(lambda a: column(1 - np.cos(a)) * np.sin(a), 0.0, np.pi / 3)
    right = over_interval(lambda a: column(np.cos(a)) * np.sin(a), 0.0, np.pi / 3)
    return left + right


PLANE = {
    "disk": (DISK, of_disk(K2, (0.5, -0.2), 1.5)),
    "ellipse": (TURNED, _of_ellipse()),
    "rectangle": (SQUARE, of_box(K2, (-1, -1), (1, 1))),
    "named rectangle": ({**SQUARE, "name": "walls"}, of_box(K2, (-1, -1), (1, 1))),
    "polygon": (
        {"polygon": CORNERS},
        of_triangle(K2, [CORNERS[0], *CORNERS[1:3]]) + of_triangle(K2, [CORNERS[0], *CORNERS[2:]]),
    ),
    "triangle": ({"polygon": CORNERS[:3]}, of_triangle(K2, CORNERS[:3])),
    "plate with a hole": (
        {"difference": [SQUARE, HOLE]},
        of_box(K2, (-1, -1), (1, 1)) - of_disk(K2, (0.3, 0.2), 0.25),
    ),
    "annulus": (
        {"difference": [{"disk": {"radius": 1}}, {"disk": {"radius": 0.9}}]},
        of_disk(K2) - of_disk(K2, radius=0.9),
    ),
    "lens": (LENS, _of_lens()),
    "union": ({"union": LENS["intersection"]}, of_disk(K2) + of_disk(K2, (1, 0)) - _of_lens()),
    "moon": (
        {"difference": LENS["intersection"]},
        of_disk(K2) - _of_lens(),
    ),
    "touching disks": (
        {"union": [{"disk": {"radius": 1}}, {"disk": {"center": [2, 0], "radius": 1}}]},
        of_disk(K2) + of_disk(K2, (2, 0)),
    ),
    "two apart": (
        {"union": [SQUARE, {"disk": {"center": [4, 3], "radius": 1}}]},
        of_box(K2, (-1, -1), (1, 1)) + of_disk(K2, (4, 3)),
    ),
    "L": (
        {"difference": [SQUARE, {"rectangle": {"from": [0, 0], "to": [1, 1]}}]},
        of_box(K2, (-1, -1), (1, 1)) - of_box(K2, (0, 0), (1, 1)),
    ),
}


@pytest.mark.parametrize("name", PLANE)
def test_in_the_plane(name):
    geometry, expected = PLANE[name]
    problem = integral_block(geometry)
    assert integrals(problem, wave(K2))[0] == pytest.approx(expected, rel=BOUND)
    assert problem.blocks[1].source.points_per_item < 4000
    source = problem.blocks[1].source
    assert (source.weights >= 0).all()


def test_a_polygon_of_many_corners():
    angle = np.linspace(0, 2 * np.pi, 1001)[:-1]
    corners = (
        np.stack([np.cos(angle), np.sin(angle)], axis=1) * (1 + 0.2 * np.cos(5 * angle))[:, None]
    )
    problem = integral_block({"polygon": corners.tolist()})
    expected = sum(
        np.sign(np.linalg.det([p, q])) * of_triangle(K2, [[0, 0], p, q])
        for p, q in zip(corners, np.roll(corners, -1, axis=0), strict=True)
    )
    assert integrals(problem, wave(K2))[0] == pytest.approx(expected, rel=BOUND)
    assert problem.blocks[1].source.points_per_item < 6000


@pytest.mark.parametrize("radius", [0.5, 0.05])
def test_what_grows_towards_the_middle_of_a_hole(radius):
    geometry = {"difference": [{"disk": {"radius": 1}}, {"disk": {"radius": radius}}]}
    problem = integral_block(geometry)
    logarithm = integrals(problem, lambda x: np.log(np.hypot(*x.T)))[0]
    expected = 2 * np.pi * (-0.25 - radius**2 * (np.log(radius) / 2 - 0.25))
    assert logarithm == pytest.approx(expected, rel=BOUND)


K3 = np.array([0.9, -0.5, 0.7])
START, STOP = (0.2, -0.1, 0.3), (1.2, 0.4, 2.3)
BALL = {"ball": {"radius": 1}}


def _rod(start, stop, radius):
    return {"cylinder": {"from": list(start), "to": list(stop), "radius": radius}}


def _of_cap():
    """The part x > 1/2 of the unit ball, from exp(k x) with k along x."""
    return over_interval(lambda x: np.pi * (1 - x**2) * np.exp(x), 0.5, 1.0)


SOLID = {
    "ball": (BALL, K3, of_ball(K3)),
    "upright rod": (_rod((0, 0, 0), (0, 0, 2), 0.5), K3, of_rod(K3, (0, 0, 0), (0, 0, 2), 0.5)),
    "oblique rod": (_rod(START, STOP, 0.7), K3, of_rod(K3, START, STOP, 0.7)),
    "cuboid": (CUBE, K3, of_box(K3, (-1, -1, -1), (1, 1, 1))),
    "cavity": (
        {"difference": [CUBE, {"ball": {"center": [0.1, 0, 0], "radius": 0.5}}]},
        K3,
        of_box(K3, (-1, -1, -1), (1, 1, 1)) - of_ball(K3, (0.1, 0, 0), 0.5),
    ),
    "pipe": (
        {"difference": [_rod(START, STOP, 0.7), _rod(START, STOP, 0.4)]},
        K3,
        of_rod(K3, START, STOP, 0.7) - of_rod(K3, START, STOP, 0.4),
    ),
    "two balls": (
        {"union": [BALL, {"ball": {"center": [1, 0, 0], "radius": 1}}]},
        np.array([1.0, 0, 0]),
        of_ball([1, 0, 0]) * (1 + np.e)
        - _of_cap()
        - np.e * over_interval(lambda x: np.pi * (1 - x**2) * np.exp(-x), 0.5, 1.0),
    ),
    "crossed rods": (
        {"intersection": [_rod((-2, 0, 0), (2, 0, 0), 1), _rod((0, -2, 0), (0, 2, 0), 1)]},
        np.array([0, 0, 1.0]),
        over_interval(lambda z: 4 * (1 - z**2) * np.exp(z), -1, 1),
    ),
}


# A curved body alone, one with a hole, and one with an edge where two meet; others at night.
SHORT = ("ball", "cavity", "two balls")


@pytest.mark.parametrize("name", [n if n in SHORT else nightly(n) for n in SOLID])
def test_in_space(name):
    geometry, k, expected = SOLID[name]
    problem = integral_block(geometry, "xyz")
    assert integrals(problem, wave(k))[0] == pytest.approx(expected, rel=BOUND)
    source = problem.blocks[1].source
    assert source.points_per_item < 4000
    assert np.abs(source.weights).sum() < 3 * source.weights.sum()


@pytest.mark.parametrize("key", ["stl", "mesh"])
def test_inside_a_mesh(key, tmp_path):
    body = trimesh.creation.torus(1.0, 0.4) if key == "mesh" else trimesh.creation.box((1, 2, 3))
    path = tmp_path / ("body.ply" if key == "mesh" else "body.stl")
    body.export(path)
    problem = integral_block({key: str(path), "name": "skin"}, "xyz")
    # A signed cone from the origin over each triangle.
    read = trimesh.load(path, force="mesh")
    nodes, steps = np.polynomial.legendre.leggauss(12)
    nodes, steps = (nodes + 1) / 2, steps / 2
    r, s, t = (axis.ravel() for axis in np.meshgrid(nodes, nodes, nodes))
    weights = np.multiply.outer(np.multiply.outer(steps, steps), steps).ravel() * r**2 * s
    barycentric = np.stack([r * (1 - s), r * s * (1 - t), r * s * t], axis=1)
    corners = np.asarray(read.triangles, dtype=float)
    x = np.einsum("qs,tsd->tqd", barycentric, corners)
    expected = np.sum(np.linalg.det(corners)[:, None] * weights * np.exp(x @ K3))
    assert integrals(problem, wave(K3))[0] == pytest.approx(expected, rel=BOUND)
    assert integrals(problem, lambda x: np.ones(len(x)))[0] == pytest.approx(read.volume, rel=1e-12)


def test_times_other_coordinates():
    problem = integral_block({"difference": [SQUARE, HOLE]}, t=[0, 2], a=[1, 3])
    k = np.array([*K2, 0.4, -0.3])
    plate = of_box(K2, (-1, -1), (1, 1)) - of_disk(K2, (0.3, 0.2), 0.25)
    expected = plate * of_segment(0.4, 0, 2) * of_segment(-0.3, 1, 3)
    assert integrals(problem, wave(k))[0] == pytest.approx(expected, rel=BOUND)


def test_over_some_coordinates_of_a_shape():
    k = np.array([*K2, 0.4])
    geometry = {"difference": [{"disk": {"radius": 2}}, {"disk": {"radius": 1}}]}
    at = [{"x": x, "t": t} for x, t in ((0.5, 0.1), (-1.5, 1.0), (0, 0))]
    found = integrals(integral_block(geometry, over="y", at=at, t=[0, 2]), wave(k))
    for value, place in zip(found, at, strict=True):
        outer, inner = np.sqrt(4 - place["x"] ** 2), np.sqrt(max(1 - place["x"] ** 2, 0))
        chord = of_segment(K2[1], -outer, outer) - of_segment(K2[1], -inner, inner)
        assert value == pytest.approx(chord * np.exp(k[[0, 2]] @ list(place.values())), rel=BOUND)
    lines = integrals(integral_block({"disk": {"radius": 2}}, over="x"), wave(K2))
    places = np.linspace(-2, 2, 16)
    halves = np.sqrt(np.maximum(4 - places**2, 0))
    expected = np.exp(K2[1] * places) * of_segment(K2[0], -halves, halves)
    np.testing.assert_allclose(lines, expected, rtol=BOUND, atol=1e-12)
    slices = integrals(integral_block(geometry, over=["x", "y"], t=[0, 2]), wave(k))
    expected = (of_disk(K2, radius=2) - of_disk(K2)) * np.exp(0.4 * np.linspace(0, 2, 16))
    np.testing.assert_allclose(slices, expected, rtol=BOUND)


def test_sections_and_chords_of_solids():
    geometry = {"difference": [CUBE, {"ball": {"radius": 0.5}}]}
    at = {"y": 0.3}
    found = integrals(integral_block(geometry, "xyz", over=["x", "z"], at=at), wave(K3))
    flat = K3[[0, 2]]
    expected = of_box(flat, (-1, -1), (1, 1)) - of_disk(flat, radius=0.4)
    assert found[0] == pytest.approx(np.exp(0.3 * K3[1]) * expected, rel=BOUND)
    for axis, name in enumerate("xyz"):
        place = {"x": 0.1, "y": 0.3, "z": -0.2}
        del place[name]
        half = np.sqrt(0.25 - sum(value**2 for value in place.values()))
        k = K3[axis]
        expected = of_segment(k, -1, 1) - of_segment(k, -half, half)
        expected *= np.exp(np.delete(K3, axis) @ list(place.values()))
        found = integrals(integral_block(geometry, "xyz", over=name, at=place), wave(K3))
        assert found[0] == pytest.approx(expected, rel=BOUND)


CORNER = {"polygon": [[0, 0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2]]}
PAIR = {"union": [{"rectangle": {"from": [i, 0], "to": [i + 1, 1]}} for i in (0, 1)]}
TWO_HOLES = {
    "difference": [
        {"rectangle": {"from": [0, 0], "to": [4, 4]}},
        *({"rectangle": {"from": [i, 1], "to": [i + 1, 2]}} for i in (1, 2)),
    ]
}
STEP = {
    "union": [
        {"cuboid": {"from": [0, 0, 0], "to": [1, 1, 1]}},
        {"cuboid": {"from": [0.5, 0, 1], "to": [2, 1, 2]}},
    ]
}
SHELL = {"difference": [CUBE, {"cuboid": {"from": [0, -0.5, -0.5], "to": [0.5, 0.5, 0.5]}}]}


@pytest.mark.parametrize(
    ("geometry", "over", "at", "expected"),
    [
        ({**SQUARE, "name": "walls"}, "y", None, [2] * 16),
        ({**SQUARE, "name": "walls"}, "x", [{"y": -1}, {"y": 1}], [2, 2]),
        ({"difference": [SQUARE, HOLE]}, "y", [{"x": -1}, {"x": 0.3}, {"x": 1}], [2, 1.5, 2]),
        # At a step, what is on either side; within a hole, also where two holes meet.
        (CORNER, "y", [{"x": 0}, {"x": 1}, {"x": 2}], [2, 2, 1]),
        (PAIR, "y", [{"x": 0}, {"x": 1}, {"x": 2}], [1, 1, 1]),
        (TWO_HOLES, "y", [{"x": 1}, {"x": 2}, {"x": 3}], [4, 3, 4]),
        # A constant such as 1/3 is the face only to rounding.
        ({"rectangle": {"from": [0, 0], "to": [0.1, 1]}, "name": "r"}, "y", {"x": 0.3 / 3}, [1]),
    ],
)
def test_along_a_flat_part_of_a_boundary(geometry, over, at, expected):
    problem = integral_block(geometry, over=over, at=at)
    found = integrals(problem, lambda x: np.ones(len(x)))
    np.testing.assert_allclose(found, expected, rtol=BOUND)


@pytest.mark.parametrize(
    ("geometry", "over", "at", "expected"),
    [
        ({**CUBE, "name": "block"}, ["x", "y"], None, [4] * 16),
        ({**CUBE, "name": "block"}, "z", [{"x": 1, "y": 0.5}, {"x": -1, "y": -1}], [2, 2]),
        ({**CUBE, "name": "block"}, "x", {"y": 0.5, "z": 1}, [2]),
        (_rod((0, 0, 0), (0, 0, 2), 1), ["x", "y"], [{"z": 0}, {"z": 2}], [np.pi, np.pi]),
        (STEP, ["x", "y"], [{"z": 0}, {"z": 1}, {"z": 2}], [1, 2, 1.5]),
        (SHELL, ["y", "z"], [{"x": 0}, {"x": 0.25}, {"x": 0.5}, {"x": 1}], [4, 3, 4, 4]),
    ],
)
def test_along_a_flat_part_of_a_surface(geometry, over, at, expected):
    problem = integral_block(geometry, "xyz", over=over, at=at)
    found = integrals(problem, lambda x: np.ones(len(x)))
    np.testing.assert_allclose(found, expected, rtol=BOUND)


@pytest.mark.parametrize(
    ("geometry", "at"),
    [
        ({"difference": [SQUARE, HOLE]}, {"x": 0.3, "y": 0.2}),
        (DISK, [{"x": 0.5, "y": 0}, {"x": 1.99, "y": 1.29}]),
    ],
)
def test_a_place_outside_the_shape_is_refused(geometry, at):
    place = at[-1] if isinstance(at, list) else at
    message = f"x = {place['x']}, y = {place['y']} lies outside the domain"
    with pytest.raises(ConfigError, match=message) as caught:
        integral_block(geometry, over="t", at=at, t=[0, 2])
    assert caught.value.path == ("problem", "conditions", "total", "at")


def test_a_place_on_the_rim_of_a_shape_is_accepted():
    problem = integral_block({"disk": {"radius": 1}}, over="t", at={"x": 0, "y": 1}, t=[0, 2])
    assert integrals(problem, lambda x: np.ones(len(x)))[0] == pytest.approx(2)


@pytest.mark.parametrize(
    ("geometry", "at", "message"),
    [
        (DISK, {"x": 5}, "x = 5 lies outside the domain"),
        (
            {"union": [SQUARE, {"rectangle": {"from": [2, 0], "to": [3, 1]}}]},
            [{"x": 0}, {"x": 1.5}],
            "nothing of the domain lies at x = 1.5",
        ),
    ],
)
def test_no_section_is_refused(geometry, at, message):
    with pytest.raises(ConfigError, match=message) as caught:
        integral_block(geometry, over="y", at=at)
    assert caught.value.path == ("problem", "conditions", "total", "at")


APART = {"union": [SQUARE, {"rectangle": {"from": [2, 0], "to": [3, 1]}}]}


@pytest.mark.parametrize("equal", ["2*sqrt(2.25 - (x - 0.5)^2)", 0])
def test_a_section_without_extent_may_be_zero(equal):
    source = integral_block(DISK, over="y", equal=equal).blocks[1].source
    assert not source.weights[[0, -1]].any() and source.weights[1:-1].any(axis=1).all()


@pytest.mark.parametrize(
    ("geometry", "equal", "told"),
    [
        (DISK, 3, "nothing of the domain lies at x = -1, so the integral is 0 there, and not 3"),
        (APART, "1 + x", r"nothing of the domain lies at x = 1\.\d+, .* and not 2\.\d+"),
    ],
)
def test_a_section_without_extent_cannot_be_something_else(geometry, equal, told):
    with pytest.raises(ConfigError, match=told) as caught:
        integral_block(geometry, over="y", equal=equal)
    assert caught.value.path == ("problem", "conditions", "total", "equal")


def test_a_coordinate_is_integrated_over_once():
    with pytest.raises(ConfigError, match="over x, y, x holds a coordinate twice") as caught:
        integral_block(SQUARE, over=["x", "y", "x"])
    assert caught.value.path == ("problem", "conditions", "total", "over")


@pytest.mark.nightly
def test_the_rule_does_not_depend_on_the_number_of_threads():
    """A process on a share of the cores has the same bits as one on all of them."""
    text = (
        "import numpy as np\n"
        "from pdehvd.problems.quadrature import shape_rule\n"
        "from pdehvd.problems.shapes_mesh import Mesh\n"
        "import trimesh\n"
        "body = Mesh(np.asarray(trimesh.creation.torus(1.0, 0.4).triangles))\n"
        "rule = shape_rule(body, {})\n"
        "print(rule.nodes.tobytes().hex(), rule.weights.tobytes().hex())\n"
    )
    found = []
    for threads in ("1", "3"):
        around = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
        around |= {"OMP_NUM_THREADS": threads, "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-c", text]
        done = subprocess.run(command, env=around, capture_output=True, text=True, check=True)
        found.append(done.stdout)
    assert len(found[0]) > 100_000
    assert found[0] == found[1]
