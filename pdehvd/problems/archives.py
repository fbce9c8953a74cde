"""Arrays of NPZ and HDF5 files: nothing pickled is loaded, and nothing of unreasonable size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import h5py
import numpy as np

from pdehvd.errors import ConfigError

MAXIMUM_BYTES = 4 << 30
_LONGEST = 200


@contextmanager
def reading(file: Path | str) -> Iterator[None]:
    """Turn whatever a reader of files raises into a `ConfigError` that names the file."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:  # the libraries that read files fail in ways of their own
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ConfigError(f"cannot read {file}: {' '.join(reason.split())[:_LONGEST]}") from error


def read_npz(file: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an NPZ file by name."""
    with ZipFile(file) as archive:
        _check_size(sum(entry.file_size for entry in archive.infolist()))
    with np.load(file, allow_pickle=False) as arrays:
        return {name: np.asarray(arrays[name]) for name in arrays.files}


def read_hdf5(file: Path) -> dict[str, np.ndarray]:
    """Return the datasets at the root of an HDF5 file by name."""
    with h5py.File(file, "r") as archive:
        found = {name: item for name, item in archive.items() if isinstance(item, h5py.Dataset)}
        _check_size(sum(int(item.nbytes) for item in found.values()))
        return {name: np.asarray(item[()]) for name, item in found.items()}


def real(values: object) -> np.ndarray:
    """Return values in float64. Raises `TypeError` or `ValueError` unless they are real numbers."""
    array = np.asarray(values)
    if np.iscomplexobj(array):
        raise TypeError("complex numbers")
    if array.dtype.kind == "b":
        raise TypeError("true and false")
    if array.dtype.kind in "mM":
        raise TypeError("dates or durations, whose unit is unknown")
    return np.asarray(array, dtype=np.float64)


def _check_size(size: int) -> None:
    if size > MAXIMUM_BYTES:
        raise ValueError(
            f"it declares {size / 2**30:.3g} GiB; expected at most {MAXIMUM_BYTES >> 30} GiB"
        )
