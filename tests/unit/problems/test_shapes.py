import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from pdehvd.errors import ConfigError
from pdehvd.problems.sampling import Uniform
from pdehvd.problems.shapes import GeometrySpec
from pdehvd.problems.shapes_surface import EllipseArc

GEOMETRY = TypeAdapter(GeometrySpec)
SQUARE = {"rectangle": {"from": [0, 0], "to": [1, 1]}}
CUBE = {"cuboid": {"from": [0, 0, 0], "to": [1, 2, 3]}}
LEAVES = {
    "rectangle": {"rectangle": {"from": [-1, 0], "to": [2, "1/2"]}},
    "disk": {"disk": {"center": [1, 2], "radius": 0.5}},
    "ellipse": {"ellipse": {"center": [0, 1], "radii": [2, 0.5], "angle": "pi/6"}},
    "polygon": {"polygon": [[0, 0], [0, 1], [1, 1], [1, 0.5], [2, 0.5], [2, 0]]},
    "ball": {"ball": {"center": [0, 0, 1], "radius": 2}},
    "cuboid": CUBE,
    "cylinder": {"cylinder": {"from": [0, 0, 0], "to": [1, 1, 1], "radius": 0.5}},
}
VOLUMES = {
    "rectangle": 1.5,
    "disk": np.pi / 4,
    "ellipse": np.pi,
    "polygon": 1.5,
    "ball": 32 / 3 * np.pi,
    "cuboid": 6.0,
    "cylinder": np.pi / 4 * np.sqrt(3),
}
BOUNDARIES = {
    "rectangle": 7.0,
    "disk": np.pi,
    "ellipse": 8.578421775,  # 8 E(15/16), complete elliptic integral of the second kind
    "polygon": 6.0,
    "ball": 16 * np.pi,
    "cuboid": 22.0,
    "cylinder": np.pi * np.sqrt(3) + np.pi / 2,
}


def shape(data):
    return GEOMETRY.validate_python(data).build()


def inside_box(body, count=20000):
    low, high = body.bounds.T
    return low + (high - low) * Uniform(4).points(body.dimension, count, 0, count, ())


def on_surfaces(leaf, count=500):
    parts = [
        surface.points(Uniform(1).points(surface.parameters, count, 0, count, (index,)))
        for index, surface in enumerate(leaf.surfaces)
    ]
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


@pytest.mark.parametrize("kind", LEAVES)
def test_volume_and_bounds(kind):
    body = shape(LEAVES[kind])
    assert body.volume == pytest.approx(VOLUMES[kind], rel=1e-12)
    x = inside_box(body)
    box = np.prod(body.bounds[:, 1] - body.bounds[:, 0])
    assert body.inside(x).mean() * box == pytest.approx(body.volume, rel=0.03)
    surface, _ = on_surfaces(body, 20000)
    assert np.allclose(surface.min(axis=0), body.bounds[:, 0], atol=0.03)
    assert np.allclose(surface.max(axis=0), body.bounds[:, 1], atol=0.03)


@pytest.mark.parametrize("kind", LEAVES)
def test_boundary_measure_and_flux(kind):
    body = shape(LEAVES[kind])
    assert sum(s.measure for s in body.surfaces) == pytest.approx(BOUNDARIES[kind], rel=1e-9)
    # The divergence theorem checks density and normals together: flux of x = dimension * volume.
    flux = 0.0
    for surface in body.surfaces:
        count = 40000
        x, normals = surface.points(Uniform(2).points(surface.parameters, count, 0, count, ()))
        flux += surface.measure * np.einsum("nd,nd->n", x, normals).mean()
    assert flux == pytest.approx(body.dimension * body.volume, rel=0.02)


@pytest.mark.parametrize("kind", LEAVES)
def test_boundary_points_touch_and_normals_point_outwards(kind):
    body = shape(LEAVES[kind])
    x, normals = on_surfaces(body)
    assert body.touches(x).all()
    assert body.contains(x).all()
    assert not body.interior(x).any()
    assert np.allclose(np.linalg.norm(normals, axis=1), 1.0)
    assert body.inside(x - 1e-6 * normals).mean() > 0.999
    assert not body.contains(x + 1e-6 * normals).any()


def test_disk_and_ball_are_exact():
    x, normals = on_surfaces(shape(LEAVES["disk"]))
    assert np.abs(np.linalg.norm(x - [1, 2], axis=1) - 0.5).max() < 1e-15
    assert np.allclose(normals, (x - [1, 2]) / 0.5, atol=1e-15)
    x, normals = on_surfaces(shape(LEAVES["ball"]))
    assert np.abs(np.linalg.norm(x - [0, 0, 1], axis=1) - 2).max() < 1e-14
    assert np.allclose(normals, (x - [0, 0, 1]) / 2, atol=1e-15)


def test_ellipse_is_walked_by_arc_length():
    arc = EllipseArc(np.zeros(2), np.array([3.0, 0.5]), 0.3)
    x, normals = arc.points((np.arange(20000) / 20000)[:, None])
    steps = np.linalg.norm(np.diff(x, axis=0), axis=1)
    assert np.ptp(steps) / steps.mean() < 1e-3
    chord = np.diff(x, axis=0) / steps[:, None]
    assert np.abs(np.einsum("nd,nd->n", chord, normals[1:] + normals[:-1])).max() < 2e-5


def test_union_of_touching_squares_has_no_inner_boundary():
    right = {"rectangle": {"from": [1, 0], "to": [2, 1]}}
    body = shape({"union": [SQUARE, right]})
    assert body.volume == pytest.approx(2.0)
    assert body.bounds.tolist() == [[0, 2], [0, 1]]
    for leaf in body.leaves():
        x, normals = on_surfaces(leaf, 4000)
        mask, outward = body.exposed(leaf, x, normals)
        assert not mask[np.abs(x[:, 0] - 1) < 1e-9].any()
        assert mask.mean() == pytest.approx(0.75, abs=0.03)
        assert np.array_equal(outward[mask], normals[mask])


def test_coinciding_edges_are_counted_once():
    body = shape({"union": [SQUARE, {"rectangle": {"from": [0.5, 0], "to": [2, 1]}}]})
    first, second = body.leaves()
    masks = [body.exposed(leaf, *on_surfaces(leaf, 4000))[0].mean() for leaf in (first, second)]
    # Of the first: left, and both long edges. Of the second: right, and what is not shared.
    assert masks[0] == pytest.approx(3 / 4, abs=0.03)
    assert masks[1] == pytest.approx(3 / 5, abs=0.03)


def test_difference_turns_normals_into_the_hole():
    hole = {"disk": {"center": [0.5, 0.5], "radius": 0.25}, "name": "hole"}
    body = shape({"difference": [SQUARE, hole]})
    disk = body.leaves()[1]
    assert disk.names == ("hole",)
    x, normals = on_surfaces(disk)
    mask, outward = body.exposed(disk, x, normals)
    assert mask.all()
    assert np.allclose(outward, -(x - 0.5) / 0.25, atol=1e-12)
    assert body.contains(
        np.array([[0.5, 0.5], [0.5, 0.75], [0.1, 0.1], [1, 1], [1.1, 0]])
    ).tolist() == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert body.interior(np.array([[0.5, 0.75], [0.1, 0.1], [0.0, 0.5]])).tolist() == [
        False,
        True,
        False,
    ]


def test_intersection_in_the_plane():
    body = shape({"intersection": [SQUARE, {"disk": {"radius": 1}}]})
    assert body.volume == pytest.approx(np.pi / 4, rel=1e-6)
    assert body.contains(np.array([[0.6, 0.6], [0.8, 0.8]])).tolist() == [True, False]
    disk = body.leaves()[1]
    mask, _ = body.exposed(disk, *on_surfaces(disk, 4000))
    assert mask.mean() == pytest.approx(0.25, abs=0.03)


def test_solid_sets():
    drill = {"cylinder": {"from": [0.5, 1, -1], "to": [0.5, 1, 4], "radius": 0.25}}
    body = shape({"difference": [CUBE, drill]})
    assert body.volume is None
    assert body.inside(inside_box(body)).mean() * 6 == pytest.approx(6 - 3 * np.pi / 16, rel=0.01)
    tube = body.leaves()[1]
    surface = tube.surfaces[0]
    x, normals = surface.points(Uniform(1).points(2, 4000, 0, 4000, ()))
    mask, outward = body.exposed(tube, x, normals)
    assert mask.mean() == pytest.approx(3 / 5, abs=0.03)
    assert np.allclose(outward[mask, :2], -(x[mask, :2] - [0.5, 1]) / 0.25, atol=1e-12)
    union = shape({"union": [CUBE, {"ball": {"center": [5, 0, 0], "radius": 1}}]})
    assert union.bounds.tolist() == [[0, 6], [-1, 2], [-1, 3]]


def test_faces_on_planes():
    square = shape(SQUARE).surfaces[0]
    assert square.on_plane(0, 1.0, 1e-9).measure == 1.0
    assert square.on_plane(0, 0.5, 1e-9) is None
    cube = shape(CUBE).surfaces[0]
    face = cube.on_plane(2, 3.0, 1e-9)
    assert face.measure == pytest.approx(2.0)
    x, normals = face.points(Uniform(0).points(3, 100, 0, 100, ()))
    assert (x[:, 2] == 3.0).all() and (normals == [0, 0, 1]).all()
    rod = shape({"cylinder": {"from": [0, 0, 0], "to": [0, 0, 2], "radius": 1}})
    flat = [s.on_plane(2, 2.0, 1e-9) for s in rod.surfaces]
    assert [s is not None for s in flat] == [False, False, True]
    x, normals = flat[2].points(Uniform(0).points(2, 100, 0, 100, ()))
    assert (x[:, 2] == 2.0).all() and (normals == [0, 0, 1]).all()


def test_names_reach_all_leaves():
    body = shape({"union": [{**SQUARE, "name": "a"}, {"disk": {"radius": 1}}], "name": "all"})
    assert [leaf.names for leaf in body.leaves()] == [("a", "all"), ("all",)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"rectangel": {}}, r"rectangel: unknown shape 'rectangel'.*did you mean 'rectangle'"),
        ({"name": "a"}, "no shape is given"),
        ({"circle": {"radius": 1}}, "unknown shape 'circle'.*did you mean 'disk'"),
        ({"Sphere": {"radius": 1}}, "did you mean 'ball'"),
        ({"triangle": []}, "did you mean 'polygon'"),
        ({"box": {}}, "did you mean 'cuboid'"),
        ({"Interval": [0, 1]}, "an interval or a box needs no geometry, only bounds of its"),
        (
            {"name": "disk", "radius": 1},
            "'disk' is a shape, not a name; expected the shape as key, disk:",
        ),
        ("disk", "'disk' is not a shape"),
        ({**SQUARE, "disk": {"radius": 1}}, "rectangle and disk are two shapes"),
        ({**SQUARE, "colour": 1}, "Extra inputs"),
        ({**SQUARE, "name": "two words"}, "pattern"),
        ({"disk": {"radius": 0}}, "0 is not positive"),
        ({"disk": {"radius": "1/0"}}, "division by zero"),
        ({"disk": {"radius": 1, "centre": [0, 0]}}, "Extra inputs"),
        ({"rectangle": {"from": [1, 0], "to": [0, 1]}}, "is not below"),
        ({"cuboid": {"from": [0, 0, 0], "to": [1, 1, 0]}}, "is not below"),
        ({"cylinder": {"from": [0, 0, 0], "to": [0, 0, 0], "radius": 1}}, "has no length"),
        ({"difference": [SQUARE]}, "at least 2"),
        ({"union": [SQUARE, {"dosk": 1}]}, "unknown shape 'dosk'"),
    ],
)
def test_bad_specs_are_refused(data, message):
    with pytest.raises(ValidationError, match=message):
        GEOMETRY.validate_python(data)


@pytest.mark.parametrize(
    ("data", "path", "message"),
    [
        ({"polygon": [[0, 0], [1, 1]]}, (), "2 corners"),
        ({"polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}, (), "Self-intersection"),
        ({"polygon": [[0, 0], [1, 1], [2, 2]]}, (), "polygon"),
        ({"union": [SQUARE, CUBE]}, ("union",), "different dimensions"),
        ({"union": [SQUARE, {"polygon": [[0, 0]]}]}, ("union", 1), "1 corners"),
        (
            {"intersection": [SQUARE, {"disk": {"center": [5, 5], "radius": 1}}]},
            ("intersection",),
            "is empty",
        ),
        ({"difference": [SQUARE, SQUARE]}, ("difference",), "is empty"),
    ],
)
def test_impossible_shapes_are_refused(data, path, message):
    with pytest.raises(ConfigError, match=message) as caught:
        shape(data)
    assert caught.value.path == path


def test_polygon_may_be_closed_and_clockwise():
    closed = shape({"polygon": [[0, 0], [0, 1], [1, 1], [1, 0], [0, 0]]})
    assert closed.surfaces[0].measure == 4.0
    x, normals = on_surfaces(closed)
    assert np.einsum("nd,nd->n", x - 0.5, normals).min() == pytest.approx(0.5)


def test_schema_names_every_shape():
    schema = str(GEOMETRY.json_schema())
    for kind in [*LEAVES, "stl", "mesh", "union", "intersection", "difference"]:
        assert f"'{kind}'" in schema
