"""A network of coordinates in the formats of other programs: grids of values, and itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pdehvd.assembly.trained_run import Export
from pdehvd.errors import ConfigError
from pdehvd.results.export_formats import SERIES
from pdehvd.results.export_model import save_model
from pdehvd.results.regular_grid import RegularGrid, grid_cells, sample, side_in_series
from pdehvd.results.solution import span
from pdehvd.results.trained_points import TrainedAtPoints
from pdehvd.spec.plain import Facts

TIMES = 21


def point_export(
    trained: TrainedAtPoints, format: str, resolution: int | None, time: float | None
) -> Export:
    """Return what writes a run.

    vtk: a grid as .vtu, the time of a 1-D problem as second axis; with two or three space
    coordinates and time a folder of .vtu files and the .pvd that lists them, or one .vtu at
    `time`. npz: axes, fields and `inside` on the whole grid. savedmodel: see `save_model`.
    `resolution` is the number of points a coordinate. Raises ConfigError for a domain that the
    format lacks.
    """
    if format == "savedmodel":
        return Export("savedmodel", lambda path: save_model(trained, path))
    running = _running_time(trained, time)
    if format == "vtk" and running is not None:
        return Export("fields", lambda path: _series(trained, running, resolution, path))
    fixed = _at(trained, time)
    if format == "npz":
        return Export("fields.npz", lambda path: _npz(sample(trained, resolution, fixed), path))
    _check_vtk(trained, fixed)
    return Export("fields.vtu", lambda path: _vtu(sample(trained, resolution, fixed), path))


def _at(trained: TrainedAtPoints, time: float | None) -> dict[str, float]:
    """Return the coordinate that a chosen time fixes."""
    if time is None:
        return {}
    domain = trained.problem.domain
    if domain.time is None or len(domain.names) == 1:
        raise ConfigError("a time was given, but this problem has no time to select", ("time",))
    low, high = domain.bounds[domain.names.index(domain.time)]
    if not low <= time <= high:
        message = f"{domain.time} = {time:g} is outside the domain"
        raise ConfigError(message, ("time",), f"{domain.time} in [{low:g}, {high:g}]")
    return {domain.time: float(time)}


def _running_time(trained: TrainedAtPoints, time: float | None) -> str | None:
    """Return the coordinate that a series of files runs along, None where one file is enough."""
    domain = trained.problem.domain
    return domain.time if time is None and len(domain.names) in (3, 4) else None


def _check_vtk(trained: TrainedAtPoints, fixed: Mapping[str, float]) -> None:
    running = len(trained.problem.domain.names) - len(fixed)
    if running > 3:
        raise ConfigError(
            f"VTK has three coordinates, this domain {running}", ("format",), "the format npz"
        )


def _npz(grid: RegularGrid, path: Path) -> None:
    arrays: Facts = {**grid.axes, **grid.values, "inside": grid.inside}
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _vtu(grid: RegularGrid, path: Path) -> None:
    """Write a grid of up to three axes; missing coordinates are 0."""
    import meshio

    kind, corners, used = grid_cells(grid.inside)
    mesh = np.meshgrid(*grid.axes.values(), indexing="ij")
    points = np.zeros((len(used), 3))
    for index, column in enumerate(mesh):
        points[:, index] = column.ravel()[used]
    values = {name: value.ravel()[used] for name, value in grid.values.items()}
    meshio.Mesh(points, [(kind, corners)], point_data=values).write(path, file_format="vtu")


def _series(trained: TrainedAtPoints, time: str, resolution: int | None, folder: Path) -> None:
    """Write a folder of one .vtu a time, and the .pvd that ParaView opens."""
    domain = trained.problem.domain
    folder.mkdir()
    bounds = np.asarray(domain.bounds, dtype=float)[tuple(domain.names).index(time)]
    side = side_in_series(len(domain.names) - 1, TIMES) if resolution is None else resolution
    entries = []
    for number, when in enumerate(span(bounds, TIMES)):
        name = f"fields_{number:04d}.vtu"
        _vtu(sample(trained, side, {time: float(when)}), folder / name)
        entries.append(f'    <DataSet timestep="{float(when)!r}" part="0" file="{name}"/>')
    (folder / SERIES).write_text(
        '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1">\n  <Collection>\n'
        + "\n".join(entries)
        + "\n  </Collection>\n</VTKFile>\n",
        encoding="utf-8",
    )
