import numpy as np
import pytest
import trimesh

from pdehvd.errors import ConfigError
from pdehvd.problems.sampling import Uniform
from pdehvd.problems.shapes import MeshSpec, StlSpec
from pdehvd.problems.shapes_mesh import Cuboid, Mesh, read_mesh


def on_surface(body, count=500):
    return body.surfaces[0].points(Uniform(1).points(3, count, 0, count, ()))


def test_mesh_agrees_with_its_ball(tmp_path):
    path = tmp_path / "ball.stl"
    trimesh.creation.icosphere(subdivisions=3, radius=2.0).export(path)
    body = read_mesh(path, 0.5)
    assert body.volume == pytest.approx(4 / 3 * np.pi, rel=0.02)
    assert np.allclose(body.bounds, [[-1, 1]] * 3, atol=0.01)
    low, high = body.bounds.T
    x = low + (high - low) * Uniform(4).points(3, 4000, 0, 4000, ())
    radius = np.linalg.norm(x, axis=1)
    clear = np.abs(radius - 0.995) > 0.006
    assert np.array_equal(body.inside(x)[clear], radius[clear] < 0.995)
    surface, normals = on_surface(body)
    assert body.touches(surface).all()
    assert not body.touches(surface + 1e-6 * normals).any()
    assert np.einsum("nd,nd->n", normals, surface).min() > 0.9


def test_mesh_rays_through_lattice_points():
    # Points in line with edges and corners of a cube are where careless rays count twice.
    cuboid = Cuboid(np.zeros(3), np.array([1.0, 2.0, 3.0]))
    body = Mesh(cuboid.surfaces[0].corners)
    axes = [np.linspace(-0.5, high + 0.5, 8) for high in (1, 2, 3)]
    x = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 3)
    expected = ((x > 0) & (x < [1, 2, 3])).all(axis=1)
    on = cuboid.touches(x)
    assert np.array_equal(body.inside(x)[~on], expected[~on])
    assert np.array_equal(body.touches(x), on)


def test_mesh_turned_inside_out_is_put_right(tmp_path):
    mesh = trimesh.creation.box()
    mesh.invert()
    path = tmp_path / "box.ply"
    mesh.export(path)
    body = MeshSpec(mesh=str(path)).build()
    assert body.volume == pytest.approx(1.0)
    x, normals = on_surface(body)
    assert np.einsum("nd,nd->n", x, normals).min() > 0


def _two(tmp_path, shift, size=1.0, inverted=False):
    """Write a box of edge 2, and a second one, moved by `shift`."""
    second = trimesh.creation.box((2 * size,) * 3)
    second.apply_translation(np.array(shift, float))
    if inverted:
        second.invert()
    path = tmp_path / "two.stl"
    trimesh.util.concatenate([trimesh.creation.box((2, 2, 2)), second]).export(path)
    return path


@pytest.mark.parametrize(
    ("shift", "size", "inverted"),
    [
        ((0, 0, 0), 0.5, False),  # one within the other
        ((1, 0, 0), 1.0, False),
        ((1.99, 1.99, 1.99), 1.0, False),  # a corner of each in the other
        ((5, 0, 0), 0.9, True),  # inside out beside the other
    ],
)
def test_bodies_that_overlap_are_refused(shift, size, inverted, tmp_path):
    path = _two(tmp_path, shift, size, inverted)
    with pytest.raises(ConfigError, match="overlap, or one lies within another"):
        read_mesh(path)


@pytest.mark.parametrize(
    ("shift", "size", "inverted", "volume"),
    [
        ((0, 0, 0), 0.5, True, 7.0),  # a cavity
        ((5, 0, 0), 1.0, False, 16.0),
    ],
)
def test_bodies_apart_and_cavities_are_accepted(shift, size, inverted, volume, tmp_path):
    body = read_mesh(_two(tmp_path, shift, size, inverted))
    assert body.volume == pytest.approx(volume)


def test_bad_meshes_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="stl: there is no file"):
        StlSpec(stl=str(tmp_path / "none.stl")).build()
    path = tmp_path / "broken.stl"
    path.write_text("this is no mesh")
    with pytest.raises(ConfigError, match=r"broken\.stl"):
        read_mesh(path)
    mesh = trimesh.creation.box()
    open_path = tmp_path / "open.stl"
    mesh.update_faces(np.arange(len(mesh.faces)) > 1)
    mesh.export(open_path)
    with pytest.raises(ConfigError, match="does not enclose a body"):
        read_mesh(open_path)
