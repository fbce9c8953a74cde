"""NetCDF files as tables: variables on named dimensions become columns of one length."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from scipy.io import netcdf_file

from pdehvd.errors import ConfigError
from pdehvd.problems.archives import MAXIMUM_BYTES, reading, real

_HDF5 = b"\x89HDF"
# What the library writes into a dimension that has no values.
_NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable"


@dataclass(frozen=True)
class Variable:
    """A variable: the names and lengths of its dimensions, its attributes, and its values."""

    dimensions: dict[str, int]
    load: Callable[[], np.ndarray]
    attributes: Mapping[str, object] = field(default_factory=dict)

    def values(self) -> np.ndarray:
        """Return the values in float64: unpacked, and NaN where they are filled."""
        raw = real(self.load())
        filled = np.zeros(raw.shape, dtype=bool)
        for name in ("_FillValue", "missing_value"):
            if name in self.attributes:
                filled |= raw == np.asarray(self.attributes[name], dtype=float).reshape(-1)[0]
        factor, offset = (
            float(np.asarray(self.attributes.get(name, default), dtype=float).reshape(-1)[0])
            for name, default in (("scale_factor", 1.0), ("add_offset", 0.0))
        )
        values: np.ndarray = np.where(filled, np.nan, raw * factor + offset)
        return values

    @property
    def units(self) -> str:
        """Its units, as the file says."""
        given = self.attributes.get("units", "")
        text = given.decode("utf-8", "replace") if isinstance(given, bytes) else str(given)
        return text.strip()


class NetCDFColumns:
    """The variables of a file as columns: values at all places of their dimensions, in C order.

    A variable that lacks some of the dimensions is repeated along them: with u(t, x), the columns
    t, x and u have a row for each t and x.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        with file.open("rb") as stream:
            start = stream.read(len(_HDF5))
        self._variables = _of_hdf5(file) if start == _HDF5 else _classic(file)
        self.names = tuple(self._variables)
        self.header = ""
        if not self._variables:
            raise ConfigError(f"{file} holds no variables at its top level")

    def numbers(self, names: Sequence[str], missing: Collection[str] = ()) -> dict[str, np.ndarray]:
        """Return columns in float64, [N] each, NaN where a value is filled."""
        chosen = {name: self._variables[name] for name in names}
        largest = max(chosen.values(), key=lambda one: len(one.dimensions)).dimensions
        for name, one in chosen.items():
            other = [dimension for dimension in one.dimensions if dimension not in largest]
            if other:
                raise ConfigError(
                    f"{self._file}: '{name}' lies on the dimension {other[0]}",
                    (),
                    "variables on " + ", ".join(largest),
                )
        size = math.prod(largest.values()) * 8 * len(chosen)
        if size > MAXIMUM_BYTES:
            raise ConfigError(
                f"{self._file}: {', '.join(names)} have {size / 2**30:.3g} GiB",
                (),
                f"at most {MAXIMUM_BYTES >> 30} GiB",
            )
        return {name: self._column(name, largest) for name in names}

    def _column(self, name: str, dimensions: Mapping[str, int]) -> np.ndarray:
        one = self._variables[name]
        with reading(self._file):
            try:
                values = one.values()
            except (TypeError, ValueError) as error:
                raise ConfigError(
                    f"{self._file}: column '{name}' holds something that is not a number"
                ) from error
        own = list(one.dimensions)
        order = [own.index(dimension) for dimension in dimensions if dimension in own]
        shape = [length if name in own else 1 for name, length in dimensions.items()]
        values = values.transpose(order).reshape(shape)
        column: np.ndarray = np.broadcast_to(values, list(dimensions.values())).reshape(-1)
        return column

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the number of rows of a variable, as that of a single axis."""
        return (math.prod(self._variables[name].dimensions.values()),)

    def where(self, row: int) -> str:
        """Return the number of a row."""
        return f"row {row + 1}"

    def units(self, name: str) -> str:
        """Return the units of a variable, or an empty string."""
        return self._variables[name].units


def _of_hdf5(file: Path) -> dict[str, Variable]:
    """Return the variables of a NetCDF-4 file, which is an HDF5 file with dimension scales."""
    found = {}
    with h5py.File(file, "r") as archive:
        for name, item in archive.items():
            if isinstance(item, h5py.Dataset):
                attributes = dict(item.attrs)
                said = attributes.get("NAME", b"")
                if not (isinstance(said, bytes) and said.decode().startswith(_NO_VARIABLE)):
                    lengths = dict(zip(_scales(name, item), item.shape, strict=True))
                    found[name] = Variable(lengths, _loader(file, name), attributes)
    return found


def _scales(name: str, item: h5py.Dataset) -> list[str]:
    """Return the names of a dataset's dimensions."""
    if item.is_scale and item.ndim == 1:
        return [name]
    names = []
    for axis, dimension in enumerate(item.dims):
        scale = dimension[0].name.rsplit("/", 1)[-1] if len(dimension) else dimension.label
        names.append(scale or f"{name}:{axis}")
    return names


def _loader(file: Path, name: str) -> Callable[[], np.ndarray]:
    def load() -> np.ndarray:
        with h5py.File(file, "r") as archive:
            return np.asarray(archive[name][()])

    return load


def _classic(file: Path) -> dict[str, Variable]:
    """Return the variables of a classic NetCDF file."""
    found = {}
    with netcdf_file(file, "r", mmap=False) as archive:
        for name, one in archive.variables.items():
            values = np.array(one.data)
            lengths = dict(zip(one.dimensions, values.shape, strict=True))
            found[name] = Variable(lengths, values.copy, dict(one._attributes))
    return found
