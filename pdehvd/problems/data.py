"""Tables of measured values from CSV, NPZ or HDF5 files, checked before they are used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pdehvd.errors import ConfigError, nearest
from pdehvd.problems.archives import read_hdf5, read_npz, reading, real


def read_table(path: str | Path, columns: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Read named columns, each a finite float64 array [N].

    CSV files have a header line; NPZ and HDF5 files hold one array per column. Nothing pickled
    is ever loaded. Without `columns`, all are read.
    Raises `ConfigError` for a file that is missing, unreadable, empty, lacks a column, has columns
    of different lengths, or holds something that is not a finite number.
    """
    file = Path(path)
    if not file.is_file():
        raise ConfigError(f"there is no data file {file}", (), "a CSV, NPZ or HDF5 file")
    readers = {".csv": _read_csv, ".npz": read_npz, ".h5": read_hdf5, ".hdf5": read_hdf5}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise ConfigError(
            f"cannot read {file.name}", (), "a file that ends in " + ", ".join(readers)
        )
    with reading(file):
        table = reader(file)
    return _checked(file, table, columns)


def _read_csv(file: Path) -> dict[str, np.ndarray]:
    frame = pd.read_csv(file, skipinitialspace=True, comment="#")
    return {str(name).strip(): frame[name].to_numpy() for name in frame.columns}


def _checked(
    file: Path, table: dict[str, np.ndarray], columns: Sequence[str] | None
) -> dict[str, np.ndarray]:
    """Return the wanted columns as float64, or say what is wrong with the file."""
    result: dict[str, np.ndarray] = {}
    for name in table if columns is None else columns:
        if name not in table:
            raise ConfigError(
                f"{file} has no column '{name}'",
                (),
                "columns " + ", ".join(table),
                nearest(name, table),
            )
        try:
            values = real(table[name]).reshape(-1)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"{file}: column '{name}' holds something that is not a number"
            ) from error
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise ConfigError(
                f"{file}: column '{name}' has {bad.size} values that are not finite, "
                f"the first in row {bad[0] + 1}"
            )
        result[name] = values
    lengths = {name: len(values) for name, values in result.items()}
    if len(set(lengths.values())) > 1:
        raise ConfigError(f"{file}: the columns differ in length: {lengths}")
    if not lengths or not next(iter(lengths.values())):
        raise ConfigError(f"{file} holds no rows")
    return result
