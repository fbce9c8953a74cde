"""Values from files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pdehvd.errors import ConfigError
from pdehvd.reference import File

X, T = np.linspace(0, 1, 21), np.linspace(0, 2, 31)
POINTS = np.random.default_rng(0).random((50, 2)) * [1, 2]


def wave(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    return np.sin(2 * x) * np.cos(t)


def built(path: Path, **options: object):
    spec = File.model_validate({"path": str(path), **options})
    return spec.build(("x", "t"), ("u", "p"), {})


def rows() -> np.ndarray:
    """All points of the grid, in no order."""
    x, t = (a.reshape(-1) for a in np.meshgrid(X, T, indexing="ij"))
    return np.random.default_rng(1).permutation(np.stack([t, wave(x, t), x], axis=1))


def test_csv_rows_that_fill_a_grid(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.csv", rows(), delimiter=",", header="t,u,x", comments="", fmt="%.17g")
    reference = built(tmp_path / "a.csv")
    assert reference.fields == ("u",)
    assert np.abs(reference(POINTS)["u"] - wave(*POINTS.T)).max() < 1e-6


@pytest.mark.parametrize("kind", ["npz", "h5"])
def test_axes_and_fields_on_their_grid(tmp_path: Path, kind: str) -> None:
    arrays = {"x": X, "t": T, "u": wave(X[:, None], T), "p": wave(X[:, None], T) + 1}
    path = tmp_path / f"a.{kind}"
    if kind == "npz":
        np.savez(path, **arrays)
    else:
        with h5py.File(path, "w") as archive:
            for name, values in arrays.items():
                archive[name] = values
    values = built(path)(POINTS)
    assert np.abs(values["u"] - wave(*POINTS.T)).max() < 1e-6
    assert np.allclose(values["p"], values["u"] + 1)
    assert set(built(path, fields=["p"])(POINTS)) == {"p"}


def test_coordinates_on_a_mesh(tmp_path: Path) -> None:
    x, t = np.meshgrid(X, T)
    np.savez(tmp_path / "a.npz", x=x, t=t, u=wave(x, t), p=wave(x, t).ravel())
    values = built(tmp_path / "a.npz")(POINTS)
    assert np.abs(values["u"] - wave(*POINTS.T)).max() < 1e-6
    assert np.array_equal(values["p"], values["u"])


@pytest.mark.parametrize(("method", "bound"), [("cubic", 1e-6), ("linear", 5e-3), ("nearest", 0.1)])
def test_methods(tmp_path: Path, method: str, bound: float) -> None:
    np.savez(tmp_path / "a.npz", x=X, t=T, u=wave(X[:, None], T))
    error = np.abs(built(tmp_path / "a.npz", interpolation=method)(POINTS)["u"] - wave(*POINTS.T))
    assert bound / 100 < error.max() < bound


def test_nothing_is_known_outside(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X, t=T, u=wave(X[:, None], T))
    values = built(tmp_path / "a.npz")(np.array([[1 + 1e-12, 1.0], [1.1, 1.0], [0.5, -0.1]]))["u"]
    assert list(np.isnan(values)) == [False, True, True]


def test_the_last_point_in_single_precision(tmp_path: Path) -> None:
    axis = np.linspace(0, 0.7, 8, dtype=np.float32)
    assert float(axis[-1]) < 0.7 - 1e-9
    np.savez(tmp_path / "a.npz", x=axis, t=axis, u=np.ones((8, 8)))
    values = built(tmp_path / "a.npz")(np.array([[0.7, 0.7], [0.7001, 0.1]]))["u"]
    assert values[0] == pytest.approx(1) and np.isnan(values[1])


def test_a_table_by_a_spreadsheet(tmp_path: Path) -> None:
    lines = [f"{x};{t};{x + t};rod".replace(".", ",") for x in X[::5] for t in T[::10]]
    text = "\r\n".join(["x;t;u;of", "[m];[s];[K];", *lines, ";;;", ""])
    (tmp_path / "a.csv").write_bytes(text.encode("utf-8-sig"))
    values = built(tmp_path / "a.csv")(POINTS)["u"]
    assert np.allclose(values, POINTS.sum(axis=1))


def test_a_shifted_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,t,u\n0,0,0,1\n")
    with pytest.raises(ConfigError, match=r"row 1 \(line 2\) has 4 values between commas"):
        built(tmp_path / "a.csv")


def test_scattered_points(tmp_path: Path) -> None:
    table = np.random.default_rng(2).random((4000, 2)) * [1, 2]
    np.savez(tmp_path / "a.npz", x=table[:, 0], t=table[:, 1], u=wave(*table.T))
    linear = built(tmp_path / "a.npz")(POINTS)["u"]
    known = np.isfinite(linear)
    assert known.mean() > 0.9
    assert np.abs(linear - wave(*POINTS.T))[known].max() < 1e-2
    nearest = built(tmp_path / "a.npz", interpolation="nearest")(POINTS)["u"]
    assert np.isfinite(nearest).all()
    assert np.isnan(built(tmp_path / "a.npz")(np.array([[3.0, 1.0]]))["u"]).all()


def test_one_coordinate(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", t=np.array([2.0, 0.0, 1.0, 1.0]), u=np.array([4.0, 0.0, 1.0, 1.0]))
    reference = File(path=str(tmp_path / "a.npz")).build(("t",), ("u",), {})
    assert np.allclose(reference(np.array([[0.5], [1.5]]))["u"], [0.5, 2.5])
    assert np.isnan(reference(np.array([[2.5]]))["u"]).all()


def test_few_points_along_an_axis(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X, t=[0.0, 1.0, 2.0], u=X[:, None] * [0.0, 1.0, 2.0])
    assert np.allclose(built(tmp_path / "a.npz")(POINTS)["u"], POINTS.prod(axis=1))


def test_axes_in_descending_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X[::-1], t=T, u=wave(X[::-1, None], T))
    assert np.abs(built(tmp_path / "a.npz")(POINTS)["u"] - wave(*POINTS.T)).max() < 1e-6


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": X, "t": T, "u": np.zeros(7)},
        {"x": X, "u": np.zeros(21)},
        {"x": X[:1], "t": T, "u": np.zeros((1, 31))},
        {"x": np.repeat(X, 2), "t": T, "u": np.zeros((42, 31))},
        {"x": X, "t": T, "w": np.zeros((21, 31))},
        {"x": X, "t": T, "u": np.full((21, 31), np.nan)},
        {"x": X, "t": T, "u": wave(X[:, None], T).T},
        {"x": X.astype("M8[s]"), "t": T, "u": wave(X[:, None], T)},
        {**dict(zip("xt", np.meshgrid(X, T), strict=True)), "u": wave(X[:, None], T)},
        {"x": X[[0, 4, 9, 13]], "t": X[[0, 4, 9, 13]], "u": np.zeros(4)},
    ],
)
def test_unfit_files_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ConfigError) as caught:
        built(tmp_path / "a.npz")
    assert caught.value.path == ("path",)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no data file"):
        built(tmp_path / "b.csv")


def test_paths_start_at_the_config(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X, t=T, u=wave(X[:, None], T))
    spec = File.model_validate({"path": "a.npz"}, context={"folder": str(tmp_path)})
    assert spec.build(("x", "t"), ("u",), {}).fields == ("u",)
