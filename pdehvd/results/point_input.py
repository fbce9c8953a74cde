"""Points as a user gives them: an array, a mapping or a data frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from numpy.typing import ArrayLike

from pdehvd.errors import ConfigError, nearest


@dataclass(frozen=True)
class GivenPoints:
    """Points `x` [N, D] in float64, the shape that values at them have, and what they were.

    `rounding` is the relative precision of the numbers given, 0 for double precision.
    """

    x: np.ndarray
    shape: tuple[int, ...]
    rounding: float


def read_points(given: object, names: Sequence[str]) -> GivenPoints:
    """Return the points that are given for the coordinates `names`.

    An array [N, D] has the coordinates as columns in their order; with one coordinate [N] is the
    same. A mapping or a data frame has them by name, and arrays and numbers are broadcast; other
    columns of a table are not looked at.
    Raises ConfigError for anything else.
    """
    columns = _columns(given, names)
    if columns is not None:
        return _joined({name: _numbers(columns[name], name, names) for name in names})
    array = _numbers(given, "points", names)
    x = array[:, None] if array.ndim == len(names) == 1 else array
    if x.ndim != 2 or x.shape[1] != len(names):
        raise ConfigError(f"points have the shape {array.shape}", (), _expected(names))
    return GivenPoints(x.astype(np.float64), (len(x),), _rounding(array))


def _expected(names: Sequence[str]) -> str:
    last = names[-1]
    mapping = ", ".join([*(f'"{name}": [...]' for name in names[:-1]), f'"{last}": 0.5'])
    return (
        f"[N, {len(names)}], the columns {', '.join(names)}; or a mapping such as "
        f"{{{mapping}}}; or a data frame with these columns"
    )


class _Named(Protocol):
    """A mapping, a data frame or a structured array."""

    def __getitem__(self, name: str) -> ArrayLike: ...


def _columns(given: object, names: Sequence[str]) -> dict[str, ArrayLike] | None:
    """Return the arrays by name of what has names: a mapping, a data frame, a structured array."""
    if isinstance(given, Mapping):
        labels = list(given)
    elif hasattr(given, "columns"):
        labels = list(given.columns)
    else:
        labels = list(getattr(getattr(given, "dtype", None), "names", None) or ())
        if not labels:
            return None
    missing = [name for name in names if name not in labels]
    surplus = [label for label in labels if label not in names]
    twice = [label for label in names if labels.count(label) > 1]
    table = not isinstance(given, Mapping)
    if not (missing or twice or (surplus and not table)):
        held = cast(_Named, given)
        return {name: held[name] for name in names}
    faults = {"lack": missing, "also have": surplus, "have twice": twice}
    said = [f"{verb} {', '.join(map(repr, found))}" for verb, found in faults.items() if found]
    given_as = ", ".join(map(repr, labels)) or "nothing"
    raise ConfigError(
        f"points {' and '.join(said)} (given: {given_as})",
        (),
        _expected(names),
        nearest(str(surplus[0]), missing) if surplus else "",
    )


def _joined(arrays: Mapping[str, np.ndarray]) -> GivenPoints:
    """Broadcast one array for each coordinate against the others; numbers alone are one point."""
    try:
        full = np.broadcast_arrays(*(np.atleast_1d(array) for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ConfigError(
            f"the coordinates' shapes do not fit each other: {shapes}",
            (),
            "arrays of one length, or numbers",
        ) from None
    x = np.stack([array.astype(np.float64).ravel() for array in full], axis=1)
    return GivenPoints(x, full[0].shape, max(_rounding(array) for array in arrays.values()))


def _rounding(array: np.ndarray) -> float:
    single = array.dtype.kind == "f" and array.dtype.itemsize < 8
    return float(np.finfo(array.dtype).eps) if single else 0.0


def _numbers(given: object, what: str, names: Sequence[str]) -> np.ndarray:
    """Return an array of real numbers, as precise as it was; what is masked is NaN."""
    try:
        array = np.asanyarray(given)
    except (TypeError, ValueError):
        raise ConfigError(f"{what}: rows of different lengths", (), _expected(names)) from None
    if array.dtype.kind == "O" and not _holds_text(array):
        with suppress(TypeError, ValueError):
            array = array.astype(np.float64)
    if array.dtype.kind not in "iuf":
        raise ConfigError(
            f"{what}: {_described(given, array)}", (), f"real numbers: {_expected(names)}"
        )
    if isinstance(array, np.ma.MaskedArray):
        array = np.ma.filled(array.astype(np.result_type(array, np.float32)), np.nan)
    return np.asarray(array)


def _holds_text(array: np.ndarray) -> bool:
    """Return whether there is text among objects; NumPy would read it as numbers if it can."""
    return any(isinstance(value, str | bytes) for value in array.flat)


def _described(given: object, array: np.ndarray) -> str:
    """Say what is not an array of real numbers."""
    if isinstance(given, str | bytes):
        return f"the text {given!r:.60} (a file must be read first, by pandas.read_csv)"
    if array.dtype.kind in "US" or (array.dtype.kind == "O" and _holds_text(array)):
        return "text"
    kinds = {"c": "complex numbers", "b": "true and false", "M": "dates", "m": "durations"}
    return kinds.get(array.dtype.kind, f"a {type(given).__name__}")
