"""Input fields in files: NPZ and HDF5 by the names of their arrays, pictures by brightness."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from pdehvd.errors import ConfigError, nearest, within
from pdehvd.problems.archives import read_hdf5, read_npz, reading, real

T = TypeVar("T")

PICTURES = (".png",)
# By how much the colours of a grey pixel may differ.
_GREY = 1.5 / 255
_ARCHIVES: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
    ".npz": read_npz,
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
}


@dataclass(frozen=True)
class FieldFile:
    """Arrays in float64 by the inputs' names, and a sentence on what was not as it is called."""

    fields: dict[str, np.ndarray]
    said: str = ""


def read_fields_file(
    file: Path, inputs: tuple[str, ...], key: str | None = None, range_: str | None = None
) -> FieldFile:
    """Return the input fields of a file.

    NPZ and HDF5 hold an array for each input, by its name. For a single input `key` names
    another array, and an array that is alone is taken whatever its name. A grey picture is a
    single input, whose brightness 0..1 goes to `range_`, a text such as "0.1:10".
    Raises ConfigError that says what the file holds and what was expected.
    """
    ending = file.suffix.lower()
    if ending not in _ARCHIVES and ending not in PICTURES:
        endings = (*_ARCHIVES, *PICTURES)
        raise ConfigError(
            f"'{file.name}' has an unknown file extension",
            ("field",),
            "one of " + ", ".join(endings),
            nearest(ending, endings),
        )
    if key is not None and len(inputs) > 1:
        raise ConfigError(
            f"a key names the array of a single input, but the inputs are {', '.join(inputs)}",
            ("key",),
            "a file with arrays of these names, without --key",
        )
    if ending in PICTURES:
        if key is not None:
            raise ConfigError(f"{file} is an image, which has no keys", ("key",), "no --key")
        return _picture(file, inputs, range_)
    if range_ is not None:
        raise ConfigError(
            f"{file} is not an image: its numbers are the field", ("range",), "no --range"
        )
    return _chosen(file, _opened(file, _ARCHIVES[ending]), inputs, key)


def _opened(file: Path, reader: Callable[[Path], T]) -> T:
    with within("field"), reading(file):
        return reader(file)


def _chosen(
    file: Path, arrays: dict[str, np.ndarray], inputs: tuple[str, ...], key: str | None
) -> FieldFile:
    """Return the arrays of the inputs; a single input may be called otherwise in the file."""
    names, said = dict(zip(inputs, inputs, strict=True)), ""
    if key is not None:
        names = {inputs[0]: key}
    elif len(inputs) == 1 and len(arrays) == 1 and inputs[0] not in arrays:
        names = {inputs[0]: next(iter(arrays))}
        said = f"{file} has no '{inputs[0]}': its only array, '{names[inputs[0]]}', is used for it"
    missing = [name for name in names.values() if name not in arrays]
    if missing:
        raise ConfigError(
            f"{file} holds {', '.join(arrays) or 'nothing'}, not {', '.join(missing)}",
            ("field",) if key is None else ("key",),
            "an array for each of " + ", ".join(inputs)
            if len(inputs) > 1
            else f"the array '{inputs[0]}', or the name of another in --key",
            nearest(missing[0], arrays),
        )
    try:
        return FieldFile({name: real(arrays[called]) for name, called in names.items()}, said)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{file} contains values that are not numbers", ("field",)) from error


def _picture(file: Path, inputs: tuple[str, ...], range_: str | None) -> FieldFile:
    """Return a picture as a field; its first axis runs to the right, its second up."""
    import matplotlib.image

    low, high = (0.0, 1.0) if range_ is None else _range(range_)
    if len(inputs) > 1:
        raise ConfigError(
            f"{file} is a single image, but the inputs are {', '.join(inputs)}",
            ("field",),
            "an NPZ or HDF5 file with an array for each",
        )
    pixels = _opened(file, matplotlib.image.imread).astype(np.float64)
    colours = pixels if pixels.ndim == 3 else pixels[..., None]
    if colours.shape[-1] == 4 and colours[..., 3].min() < 1:
        raise ConfigError(f"{file} has transparent pixels", ("field",), "an image without them")
    colours = colours[..., :3]
    said = ""
    if np.ptp(colours, axis=-1).max() > _GREY:
        said = f"{file} is coloured: the mean of red, green and blue is used as brightness"
    grey = colours.mean(-1)[::-1].T
    return FieldFile({inputs[0]: low + (high - low) * grey}, said)


def _range(text: str) -> tuple[float, float]:
    """Return the values of black and of white."""
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high)) or low == high:
        raise ConfigError(
            f"'{text}' is not a range", ("range",), "the values of black and white, such as 0.1:10"
        )
    return low, high
