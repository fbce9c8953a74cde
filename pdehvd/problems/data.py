"""Tables of measured values from text, NPZ, HDF5 or NetCDF files, checked before they are used."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from pdehvd.errors import ConfigError, counted, nearest
from pdehvd.problems.archives import MAXIMUM_BYTES, read_hdf5, read_npz, reading, real
from pdehvd.problems.netcdf import NetCDFColumns
from pdehvd.problems.text_table import TextTable

# `x [mm]` or `x (mm)`.
_UNITS = re.compile(r"\s*([^\W\d]\w*)(?:\s*\[([^\]]*)\]|\s+\(([^)]*)\))\s*")
TEXT = (".csv", ".tsv", ".txt", ".dat")
"""The endings of text tables."""


class _Columns(Protocol):
    """The columns of a file, whatever its kind."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of the file."""

    def numbers(self, names: Sequence[str], missing: Collection[str] = ()) -> dict[str, np.ndarray]:
        """Return columns in float64; NaN for missing values in columns of `missing`."""
        ...

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the lengths of a column's axes, without those of length 1."""
        ...

    def where(self, row: int) -> str:
        """Return how a message calls a row, counted from 0."""
        ...

    def units(self, name: str) -> str:
        """Return the units of a column that do not stand in its name, or an empty string."""
        ...

    @property
    def header(self) -> str:
        """How a message calls the line of the names; empty for a file without lines."""
        ...


class Table:
    """The named columns of a file; only those that are asked for have to be numbers."""

    def __init__(self, file: Path, columns: _Columns) -> None:
        self.file = file
        self._columns = columns
        self._own = _without_units(columns.names)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, without units in brackets."""
        return tuple(self._own)

    def units(self, name: str) -> str:
        """Return the units of a column, as the file says; empty where it does not."""
        own = _UNITS.fullmatch(self._own[name])
        if own is not None and self._own[name] != name:
            return (own[2] or own[3] or "").strip()
        return self._columns.units(self._own[name])

    def where(self, row: int) -> str:
        """Return how a message calls a row, counted from 0: with its line in a text file."""
        return self._columns.where(row)

    @property
    def held(self) -> str:
        """The names of the columns, and the line in which they stand, for a message."""
        place = f" in {self._columns.header}" if self._columns.header else ""
        return ", ".join(filter(None, self._columns.names)) + place

    def near(self, name: str) -> str:
        """Return the column that `name` likely means: with its unit, or in other letters."""
        names = self._columns.names
        bare = {other: other.split("[")[0].split("(")[0].strip() for other in names}
        folded = {other: text.casefold() for other, text in bare.items()}
        for spelt, wanted in ((bare, name), (folded, name.casefold())):
            for other, text in spelt.items():
                if text == wanted:
                    return other
        return nearest(name, names)

    def renaming(self, names: Sequence[str]) -> str:
        """Return, for a message, which columns to rename to those of the `names` that are lacking.

        It is empty where no column is like any of these.
        """
        likely = {name: self.near(name) for name in names if name not in self.names}
        changes = [f"'{near}' to '{name}'" for name, near in likely.items() if near]
        return f"; in the table, rename {', '.join(changes)}" if changes else ""

    def columns(
        self, names: Sequence[str], finite: bool = True, missing: Collection[str] = ()
    ) -> dict[str, np.ndarray]:
        """Return columns, each a float64 array [N], of its own length in NPZ and HDF5.

        Raises `ConfigError` for a column that is missing, empty, or holds something that is not
        a number, a finite one if `finite`; in columns of `missing` NaN stands for no value.
        """
        for name in names:
            if name not in self.names:
                raise ConfigError(
                    f"{self.file} has no column '{name}', but {self.held}",
                    (),
                    f"columns {', '.join(names)}{self.renaming(names)}",
                )
        own = [self._own[name] for name in names]
        found = self._columns.numbers(own, [self._own[name] for name in missing])
        result = {name: found[self._own[name]] for name in names}
        for name, values in result.items():
            bad = np.flatnonzero(~np.isfinite(values) & ~(np.isnan(values) & (name in missing)))
            if finite and bad.size:
                raise ConfigError(
                    f"{self.file}: column '{name}' has {counted(bad.size, 'value')} not finite, "
                    f"the first in {self.where(int(bad[0]))}"
                )
            if not values.size:
                raise ConfigError(f"{self.file} holds no rows")
        return result

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the lengths of a column's axes in its file, without those of length 1."""
        return self._columns.shape(self._own[name])

    def rows(self, names: Sequence[str], missing: Collection[str] = ()) -> dict[str, np.ndarray]:
        """Return columns of one length. Raises `ConfigError` as `columns`, or where they differ.

        Arrays with several axes must have the same ones: a grid and its transpose hold their
        values in different orders.
        """
        result = self.columns(names, missing=missing)
        lengths = {name: len(values) for name, values in result.items()}
        if len(set(lengths.values())) > 1:
            raise ConfigError(f"{self.file}: the columns differ in length: {lengths}")
        shapes = {name: self.shape(name) for name in names}
        if len({shape for shape in shapes.values() if len(shape) > 1}) > 1:
            raise ConfigError(
                f"{self.file}: the arrays differ in shape: {shapes}",
                (),
                "the same axes in the same order",
            )
        return result


def open_table(path: str | Path) -> Table:
    """Return the table in a file: text with a line of names, or NPZ, HDF5 or NetCDF by name.

    Nothing pickled is ever loaded. Raises `ConfigError` for a file that is missing, unreadable or
    no table: the message names the row, the numbers of values and what separates them.
    """
    file = Path(path)
    if not file.is_file():
        raise ConfigError(f"there is no data file {file}", (), "a CSV, NPZ, HDF5 or NetCDF file")
    text = dict.fromkeys(TEXT, read_text_table)
    readers: dict[str, Callable[[Path], _Columns]] = {
        **text,
        ".npz": lambda file: _Arrays(file, read_npz(file)),
        ".h5": lambda file: _Arrays(file, read_hdf5(file)),
        ".hdf5": lambda file: _Arrays(file, read_hdf5(file)),
        ".nc": NetCDFColumns,
    }
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise ConfigError(
            f"cannot read {file.name}", (), "a file that ends in " + ", ".join(readers)
        )
    with reading(file):
        return Table(file, reader(file))


def read_table(path: str | Path, columns: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Return named columns of a file, all without `columns`; see `open_table` and `Table.rows`."""
    table = open_table(path)
    return table.rows(table.names if columns is None else columns)


def _without_units(names: Sequence[str]) -> dict[str, str]:
    """Return the columns by their names without units, where no other has that name."""
    bare = [own[1] if (own := _UNITS.fullmatch(name)) else name for name in names]
    return {
        short if bare.count(short) == 1 else name: name
        for short, name in zip(bare, names, strict=True)
    }


class _Arrays:
    """Arrays of an archive as columns."""

    def __init__(self, file: Path, arrays: Mapping[str, np.ndarray]) -> None:
        self._file = file
        self._arrays = arrays
        self.names = tuple(arrays)
        self.header = ""
        if not arrays:
            raise ConfigError(f"{file} holds no arrays at its top level")

    def numbers(self, names: Sequence[str], missing: Collection[str] = ()) -> dict[str, np.ndarray]:
        """Return arrays in float64, flattened."""
        result = {}
        for name in names:
            try:
                result[name] = real(self._arrays[name]).reshape(-1)
            except (TypeError, ValueError) as error:
                raise ConfigError(
                    f"{self._file}: column '{name}' holds something that is not a number"
                ) from error
        return result

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the lengths of an array's axes, without those of length 1."""
        return self._arrays[name].squeeze().shape

    def units(self, name: str) -> str:
        """Return an empty string."""
        return ""

    def where(self, row: int) -> str:
        """Return the number of a row."""
        return f"row {row + 1}"


def read_text_table(file: Path) -> TextTable:
    """Return the table in a text file. Raises `ConfigError` or `ValueError` where it is none."""
    size = file.stat().st_size
    if size > MAXIMUM_BYTES:
        raise ValueError(f"it has {size / 2**30:.3g} GiB; expected at most {MAXIMUM_BYTES >> 30}")
    return TextTable(file, file.read_bytes())
