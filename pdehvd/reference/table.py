"""Values from a file, on a grid or at scattered points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.interpolate import (
    LinearNDInterpolator,
    NdBSpline,
    NearestNDInterpolator,
    RegularGridInterpolator,
    make_interp_spline,
)
from scipy.spatial import QhullError

from pdehvd.errors import ConfigError, counted, within
from pdehvd.problems.data import Table, open_table
from pdehvd.problems.rounding import roundings
from pdehvd.reference.base import Reference, ReferenceSpec
from pdehvd.spec import DataFile, register

Interpolator = Callable[[np.ndarray], np.ndarray]
Axes = list[np.ndarray]


def _grid(points: np.ndarray) -> tuple[Axes, np.ndarray] | None:
    """Return the axes of points [N, D] that fill a grid, and the order that sorts them, or None."""
    axes = [np.unique(column) for column in points.T]
    if np.prod([len(axis) for axis in axes]) != len(points):
        return None
    order = np.lexsort(points.T[::-1])
    mesh = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(points.shape)
    return (axes, order) if np.array_equal(points[order], mesh) else None


def _sorted(columns: Axes, values: np.ndarray) -> tuple[Axes, np.ndarray]:
    """Return axes in ascending order, and values on their grid. Raises ConfigError for repeats."""
    for dimension, column in enumerate(columns):
        values = np.take(values, np.argsort(column), axis=dimension)
        if len(np.unique(column)) < len(column):
            raise ConfigError("an axis has a value twice", ("path",), "different values")
    return [np.sort(column) for column in columns], values


def _spline(axes: Axes, values: np.ndarray) -> Interpolator:
    """Return the cubic tensor spline through values on a grid, solved directly axis by axis.

    Where an axis has three points or two, the degree along it is two or one.
    """
    knots, degrees = [], []
    for dimension, axis in enumerate(axes):
        degrees.append(min(3, len(axis) - 1))
        spline = make_interp_spline(axis, values, k=degrees[-1], axis=dimension)
        values = np.moveaxis(spline.c, 0, dimension)
        knots.append(spline.t)
    result: Interpolator = NdBSpline(tuple(knots), values, tuple(degrees))
    return result


def _on_grid(axes: Axes, values: np.ndarray, method: str) -> Interpolator:
    """Return an interpolator that is NaN outside the grid, the rounding of its axes aside."""
    if method == "cubic":
        inner = _spline(axes, values)
    else:
        inner = RegularGridInterpolator(axes, values, method=method)
    low = np.array([axis[0] for axis in axes])
    high = np.array([axis[-1] for axis in axes])
    close = np.array([roundings(axis)[[0, -1]].max() for axis in axes])
    close = np.minimum(close, 1e-3 * (high - low)) + 1e-9 * (high - low)

    def interpolate(points: np.ndarray) -> np.ndarray:
        nearest = np.clip(points, low, high)
        outside = (np.abs(points - nearest) > close).any(axis=1)
        return np.where(outside, np.nan, inner(nearest))

    return interpolate


def _scattered(points: np.ndarray, values: np.ndarray, method: str) -> Interpolator:
    """Return an interpolator of scattered points; linear is NaN outside their convex hull."""
    if method == "nearest":
        near: Interpolator = NearestNDInterpolator(points, values, rescale=True)
        return near
    if points.shape[1] == 1:
        order = np.argsort(points[:, 0])
        x, y = points[order, 0], values[order]
        return lambda wanted: np.interp(wanted[:, 0], x, y, left=np.nan, right=np.nan)
    result: Interpolator = LinearNDInterpolator(points, values, rescale=True)
    return result


def _check_axes(table: Table, coordinates: Sequence[str], fields: Sequence[str]) -> None:
    """Raise `ConfigError` for an array whose axes are not the coordinates, in their order."""
    shapes = [table.shape(name) for name in coordinates]
    points = [shape for shape in shapes if len(shape) > 1]
    axes = tuple(length for shape in shapes for length in shape)
    expected = points[0] if points else axes
    for name in (*coordinates, *fields):
        shape = table.shape(name)
        if len(shape) > 1 and shape != expected:
            raise ConfigError(
                f"{table.file}: '{name}' has {_times(shape)} values",
                (),
                f"{_times(expected)}, in the order of the coordinates {', '.join(coordinates)}",
            )


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


class TableReference(Reference):
    """One interpolator for each field that the file holds."""

    def __init__(
        self, interpolators: Mapping[str, Interpolator], unknowns: Mapping[str, float]
    ) -> None:
        super().__init__(tuple(interpolators), unknowns)
        self.interpolators = dict(interpolators)

    def evaluate(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return the interpolated fields [N] at points [N, D]; NaN outside the file."""
        return {name: function(points) for name, function in self.interpolators.items()}


@register("reference")
class File(ReferenceSpec):
    """Values from a CSV, NPZ, HDF5 or NetCDF file with columns named like coordinates and fields.

    One row per point, or, in NPZ and HDF5, one axis per coordinate and fields on their grid in
    the order of the problem's coordinates. In NetCDF, axes have names. Points that fill a grid are
    recognised.
    """

    name: Literal["file"] = "file"
    path: DataFile
    fields: list[str] | None = Field(None, description="By default all fields that the file has.")
    interpolation: Literal["cubic", "linear", "nearest"] = Field(
        "cubic", description="Scattered points are interpolated linearly in place of cubic."
    )

    def build(
        self,
        coordinates: tuple[str, ...],
        fields: tuple[str, ...],
        constants: Mapping[str, float],
    ) -> TableReference:
        """Return the reference. Raises ConfigError for a file that does not fit the problem."""
        with within("path"):
            table = open_table(self.path)
            held = self.fields or self._held(table, fields)
            found = table.columns([*coordinates, *held])
            _check_axes(table, coordinates, held)
        try:
            columns = [found[name] for name in coordinates]
            values = {name: found[name] for name in held}
            interpolators = self._interpolators(columns, values)
        except (QhullError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            reason = str(error).splitlines()[0]
            raise ConfigError(
                f"{self.path}: its points cannot be interpolated: {reason}",
                ("path",),
                "points that span the domain, or interpolation: nearest",
            ) from error
        return TableReference(interpolators, self.values(constants))

    def _held(self, table: Table, fields: Sequence[str]) -> list[str]:
        """Return the fields that the file has."""
        held = [name for name in fields if name in table.names]
        # Without any, the error names the first.
        return held or list(fields[:1])

    def _interpolators(
        self, columns: Axes, values: Mapping[str, np.ndarray]
    ) -> dict[str, Interpolator]:
        """Return an interpolator for each field, on a grid if the points are one."""
        lengths = [len(column) for column in columns]
        result = {}
        for name, value in values.items():
            if len(set(lengths)) == 1 and len(value) == lengths[0]:
                points = np.stack(columns, axis=1)
                found = _grid(points)
                if found is None:
                    result[name] = _scattered(points, value, self.interpolation)
                    continue
                axes, order = found
                value = value[order].reshape([len(axis) for axis in axes])
            elif len(value) == np.prod(lengths):
                axes, value = _sorted(columns, value.reshape(lengths))
            else:
                raise ConfigError(
                    f"'{name}' has {counted(len(value), 'value')}", ("path",), _times(lengths)
                )
            if min(value.shape) < 2:
                raise ConfigError("an axis has one point", ("path",), "two or more on each axis")
            result[name] = _on_grid(axes, value, self.interpolation)
        return result
