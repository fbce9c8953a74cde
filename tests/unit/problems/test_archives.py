"""Arrays of NPZ and HDF5 files as columns: matched value by value, or refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pdehvd.errors import ConfigError
from pdehvd.problems.data import read_table

T, X = np.meshgrid([0.0, 0.5, 1.0], [0.0, 1.0])
U = T + 10 * X


def write(file: Path, arrays: dict[str, np.ndarray]) -> Path:
    if file.suffix == ".npz":
        np.savez(file, **arrays)
        return file
    with h5py.File(file, "w") as archive:
        for name, values in arrays.items():
            archive[name] = values
    return file


@pytest.mark.parametrize("ending", ["npz", "h5"])
@pytest.mark.parametrize(
    "arrays",
    [
        {"t": T, "x": X, "u": U},
        {"t": T, "x": X.ravel(), "u": U.ravel()},
        {"t": T.T, "x": X.T, "u": U.T},
        {"t": T.reshape(-1, 1), "x": X.reshape(1, -1), "u": np.asfortranarray(U)},
        {"t": T.astype(">f4"), "x": X.astype(int), "u": U.astype(np.float32)},
    ],
)
def test_values_keep_their_places(
    tmp_path: Path, ending: str, arrays: dict[str, np.ndarray]
) -> None:
    found = read_table(write(tmp_path / f"a.{ending}", arrays), ["t", "x", "u"])
    assert len(found["u"]) == 6
    assert np.array_equal(found["u"], found["t"] + 10 * found["x"])


@pytest.mark.parametrize("ending", ["npz", "h5"])
def test_a_transposed_array_is_refused(tmp_path: Path, ending: str) -> None:
    file = write(tmp_path / f"a.{ending}", {"t": T, "x": X, "u": U.T})
    with pytest.raises(ConfigError, match=r"differ in shape: .*'u': \(3, 2\)"):
        read_table(file, ["t", "x", "u"])


def test_dates_are_no_numbers(tmp_path: Path) -> None:
    days = np.array(["2026-01-01", "2026-01-02"], dtype="M8[D]")
    file = write(tmp_path / "a.npz", {"t": days, "u": np.ones(2)})
    with pytest.raises(ConfigError, match="column 't' holds something that is not a number"):
        read_table(file, ["t", "u"])


def test_arrays_in_groups_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "a.h5", {"run/t": np.ones(2)})
    with pytest.raises(ConfigError, match="no arrays at its top level"):
        read_table(file, ["t"])


@pytest.mark.parametrize("ending", ["npz", "h5"])
def test_true_and_false_are_no_numbers(tmp_path: Path, ending: str) -> None:
    arrays = {"t": T, "x": X, "u": U > 1}
    with pytest.raises(ConfigError, match="column 'u' holds something that is not a number"):
        read_table(write(tmp_path / f"a.{ending}", arrays), ["t", "x", "u"])
