import json
import xml.etree.ElementTree as ElementTree

import meshio
import numpy as np
import pytest

from pdehvd.errors import ConfigError
from pdehvd.results.export import export


def test_npz_holds_axes_and_fields_on_the_grid(fake, tmp_path):
    run = fake("line_time")
    path = export(run, "npz", resolution=11)
    assert path == tmp_path / "exports" / "fields.npz"
    data = np.load(path)
    assert data["u"].shape == (11, 11) and data["inside"].all()
    point = np.array([[data["x"][2], data["t"][7]]])
    assert data["u"][2, 7] == pytest.approx(run.predict(point)["u"][0])
    assert data["u_reference"][2, 7] == pytest.approx(run.reference(point)["u"][0])
    np.testing.assert_allclose(data["u_error"], data["u"] - data["u_reference"])


@pytest.mark.parametrize(
    ("shape", "kind", "count", "time"),
    [
        ("line", "line", 4, None),
        ("line_time", "quad", 16, None),
        ("line_time", "line", 4, 0.5),
        ("plane", "quad", 16, None),
        ("plane_time", "quad", 16, 0.5),
        ("space", "hexahedron", 64, None),
        ("space_time", "hexahedron", 64, 0.5),
    ],
)
def test_vtu_has_the_cells_of_the_grid_and_the_values_at_its_points(fake, shape, kind, count, time):
    run = fake(shape)
    mesh = meshio.read(export(run, "vtk", resolution=5, at={} if time is None else {"t": time}))
    (block,) = mesh.cells
    assert block.type == kind and len(block.data) == count
    points = np.pad(mesh.points, ((0, 0), (0, 1)))[:, : len(run.problem.coordinates)]
    if time is not None:
        points[:, -1] = time
    np.testing.assert_allclose(mesh.point_data["u"], run.predict(points)["u"], atol=1e-12)


@pytest.mark.parametrize("shape", ["plane", "space"])
def test_cells_are_not_folded(fake, shape):
    mesh = meshio.read(export(fake(shape), "vtk", resolution=4))
    corners = mesh.points[mesh.cells[0].data]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0]
    normal = np.cross(first, second)
    assert (normal[:, 2] > 0).all()
    if shape == "space":
        volume = np.einsum("ni,ni->n", normal, corners[:, 4] - corners[:, 0])
        assert volume.sum() == pytest.approx(2.0)
    else:
        assert normal[:, 2].sum() == pytest.approx(2.0)


def test_what_is_outside_a_shape_has_no_cells(fake):
    mesh = meshio.read(export(fake("plane_shape"), "vtk", resolution=5))
    middle = mesh.points[mesh.cells[0].data].mean(axis=1)
    assert len(middle) == 12
    assert not ((middle[:, 0] > 0) & (middle[:, 1] < 0)).any()
    assert np.isfinite(mesh.point_data["u"]).all()


def test_time_becomes_a_series_that_paraview_opens(fake):
    run = fake("plane_time")
    folder = export(run, "vtk", resolution=3)
    entries = list(ElementTree.parse(folder / "fields.pvd").getroot().iter("DataSet"))
    times = [float(entry.get("timestep")) for entry in entries]
    assert times[0] == 0.0 and times[-1] == 2.0 and len(times) == 21
    mesh = meshio.read(folder / entries[10].get("file"))
    points = mesh.points.copy()
    points[:, 2] = times[10]
    np.testing.assert_allclose(mesh.point_data["u"], run.predict(points)["u"])


def test_savedmodel_predicts_without_pdehvd(fake):
    import tensorflow as tf

    folder = export(fake("line_time"), "savedmodel")
    loaded = tf.saved_model.load(str(folder))
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]], tf.float64)
    np.testing.assert_allclose(loaded.predict(x)["u"], [5.0, 11.0])
    np.testing.assert_allclose(loaded.signatures["serving_default"](x=x)["u"], [5.0, 11.0])
    note = json.loads((folder / "pdehvd.json").read_text())
    assert note["coordinates"] == ["x", "t"]
    assert note["domain"] == {"bounds": {"x": [-1, 1], "t": [0, 1]}, "geometry": None}


def test_savedmodel_gives_nan_outside_the_bounds_where_it_is_asked_to(fake):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(export(fake("line_time"), "savedmodel")))
    x = tf.constant(
        [[1.0, 1.0], [1.0 + 1e-16, 1.0], [1.1, 1.0], [0.0, -0.1], [np.nan, 0]], tf.float64
    )
    right = [3.0, 3.0, np.nan, np.nan, np.nan]
    np.testing.assert_array_equal(loaded.bounded(x)["u"], right)
    np.testing.assert_array_equal(loaded.signatures["bounded"](x=x)["u"], right)


def test_an_earlier_export_is_replaced_but_nothing_else(fake, tmp_path):
    run = fake("line_time")
    assert export(run, "npz", resolution=3) == export(run, "npz", resolution=4)
    assert len(np.load(tmp_path / "exports" / "fields.npz")["x"]) == 4
    other = tmp_path / "mine.npz"
    other.write_text("precious")
    with pytest.raises(ConfigError, match="not overwritten"):
        export(run, "npz", other)
    assert other.read_text() == "precious"
    assert [path.name for path in (tmp_path / "exports").iterdir()] == ["fields.npz"]


def test_force_writes_over_a_file_and_an_export_but_no_other_folder(fake, tmp_path):
    run, folder = fake("plane_time"), tmp_path / "precious"
    folder.mkdir()
    (folder / "letter.txt").touch()
    with pytest.raises(ConfigError, match="no export created"):
        export(run, "vtk", folder, 3, force=True)
    assert (folder / "letter.txt").exists()
    series = export(run, "vtk", tmp_path / "series", 3)
    with pytest.raises(ConfigError, match="a new name in --output, or --force"):
        export(run, "vtk", series, 3)
    assert export(run, "vtk", series, 4, force=True) == series
    (tmp_path / "mine.npz").write_text("old")
    assert "u" in np.load(export(run, "npz", tmp_path / "mine.npz", 3, force=True))


def test_an_output_may_be_anywhere_new(fake, tmp_path):
    assert export(fake("line_time"), "npz", tmp_path / "new" / "a.npz", 3).exists()


def test_an_output_that_cannot_be_written_is_one_message(fake, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write"):
        export(fake("line_time"), "npz", tmp_path / "file" / "a.npz", 3)


@pytest.mark.parametrize(
    ("shape", "arguments", "match"),
    [
        ("plane", {"format": "vkt"}, "did you mean 'vtk'"),
        (
            "plane",
            {"format": "vtk", "at": {"t": 1.0}},
            "'t' is not a coordinate; expected one of x, y",
        ),
        (
            "plane_time",
            {"format": "vtk", "at": {"t": 7.0}},
            r"at.t: t = 7 is outside .* in \[0, 2\]",
        ),
        ("plane", {"format": "npz", "resolution": 1}, "2 or more"),
        ("plane_shape", {"format": "vtk", "resolution": 2}, "too coarse"),
    ],
)
def test_what_cannot_be_exported_is_said(fake, tmp_path, shape, arguments, match):
    with pytest.raises(ConfigError, match=match):
        export(fake(shape), **arguments)
    assert not list(tmp_path.rglob("fields*"))
