"""NetCDF files as tables: variables on their dimensions, packed and filled values, units."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import netcdf_file

from pdehvd.errors import ConfigError
from pdehvd.problems.data import open_table, read_table
from pdehvd.problems.geometry import build_domain
from pdehvd.problems.measured import read_measured
from pdehvd.reference.table import File

T, X = np.array([0.0, 0.5, 1.0]), np.array([0.0, 1.0, 2.0, 3.0])
U = T[:, None] + 10 * X


def classic(file: Path, u: np.ndarray, order: tuple[str, ...] = ("t", "x"), **attributes: object):
    """Write t, x and u(t, x) in the classic format."""
    with netcdf_file(file, "w") as archive:
        for name, values in {"t": T, "x": X}.items():
            archive.createDimension(name, len(values))
            archive.createVariable(name, "d", (name,))[:] = values
        one = archive.createVariable("u", u.dtype.char, order)
        one[:] = u
        for name, value in attributes.items():
            setattr(one, name, value)
        archive.variables["t"].units = "days since 2000-01-01"
    return file


def modern(file: Path, u: np.ndarray, order: tuple[str, ...] = ("t", "x"), **attributes: object):
    """Write the same as NetCDF-4 does: HDF5 with dimension scales."""
    with h5py.File(file, "w") as archive:
        for name, values in {"t": T, "x": X}.items():
            archive[name] = values
            archive[name].make_scale(name)
        archive["t"].attrs["units"] = "days since 2000-01-01"
        archive["u"] = u
        for axis, name in enumerate(order):
            archive["u"].dims[axis].attach_scale(archive[name])
        for name, value in attributes.items():
            archive["u"].attrs[name] = value
        # A dimension without values.
        archive["station"] = np.zeros(2)
        archive["station"].make_scale("This is a netCDF dimension but not a netCDF variable.")
    return file


WRITERS = pytest.mark.parametrize("write", [classic, modern])


@WRITERS
def test_a_grid_becomes_rows(tmp_path: Path, write) -> None:
    for order in (("t", "x"), ("x", "t")):
        u = U if order == ("t", "x") else np.ascontiguousarray(U.T)
        found = read_table(write(tmp_path / "a.nc", u, order), ["x", "t", "u"])
        assert len(found["u"]) == 12
        np.testing.assert_array_equal(found["u"], found["t"] + 10 * found["x"])
        (tmp_path / "a.nc").unlink()


@WRITERS
def test_packed_and_filled_values(tmp_path: Path, write) -> None:
    packed = np.round(U / 0.5).astype(np.int16)
    packed[1, 2] = -99
    options = {"scale_factor": 0.5, "add_offset": 1.0, "_FillValue": np.int16(-99)}
    table = open_table(write(tmp_path / "a.nc", packed, **options))
    with pytest.raises(ConfigError, match="'u' has 1 value not finite, the first in row 7"):
        table.rows(["t", "x", "u"])
    found = table.rows(["t", "x", "u"], missing=["u"])
    lost = np.isnan(found["u"])
    assert list(np.flatnonzero(lost)) == [6]
    np.testing.assert_allclose(found["u"][~lost], (found["t"] + 10 * found["x"] + 1)[~lost])


@WRITERS
def test_it_is_measured_data_with_its_units(tmp_path: Path, write) -> None:
    file = write(tmp_path / "a.nc", U, units="m/s")
    domain = build_domain({"x": [0, 3], "t": [0, 1]})
    found = read_measured(str(file), None, ["u"], domain, lambda _: ("x", "t"))
    np.testing.assert_array_equal(found.values("u"), found.x[:, 1] + 10 * found.x[:, 0])
    said = "a.nc: t in days since 2000-01-01, u in m/s; the numbers are used as they are"
    assert found.notes == (said,)


@WRITERS
def test_it_is_a_reference(tmp_path: Path, write) -> None:
    file = write(tmp_path / "a.nc", U)
    reference = File(path=str(file)).build(("x", "t"), ("u",), {})
    x = np.array([[0.25, 0.1], [2.9, 0.75]])
    np.testing.assert_allclose(reference(x)["u"], x[:, 1] + 10 * x[:, 0], rtol=1e-12)


@WRITERS
def test_what_does_not_fit_is_refused(tmp_path: Path, write) -> None:
    file = write(tmp_path / "a.nc", U)
    with pytest.raises(ConfigError, match="'x' lies on the dimension x; expected variables on t"):
        read_table(file, ["t", "x"])
    with pytest.raises(ConfigError, match="has no column 'v', but"):
        read_table(file, ["t", "x", "v"])
    text = tmp_path / "b.nc"
    text.write_text("t,x,u\n0,0,1\n")
    with pytest.raises(ConfigError, match=r"cannot read .*b\.nc"):
        open_table(text)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ConfigError, match=r"cannot read .*a\.nc"):
        read_table(file, ["t", "x", "u"])
