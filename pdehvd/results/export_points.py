"""A network of coordinates in the formats of other programs: grids of values, and itself."""

from __future__ import annotations

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


def point_export(trained: TrainedAtPoints, format: str, resolution: int | None) -> Export:
    """Return what writes a run, at the coordinates that it has fixed.

    vtk: a grid as .vtu, the time of a 1-D problem as second axis; with two or three space
    coordinates and time a folder of .vtu files and the .pvd that lists them, or one .vtu where the
    time is fixed. npz: axes, fields and `inside` on the whole grid. savedmodel: see `save_model`.
    `resolution` is the number of points a coordinate. Raises ConfigError for a domain that the
    format lacks.
    """
    if format == "savedmodel":
        _refuse_place(trained)
        return Export("savedmodel", lambda path: save_model(trained, path))
    name = f"fields_{trained.place}" if trained.place else "fields"
    running = _running_time(trained)
    if format == "vtk" and running is not None:
        return Export(name, lambda path: _series(trained, running, resolution, path))
    if format == "npz":
        return Export(f"{name}.npz", lambda path: _npz(sample(trained, resolution), path))
    _check_vtk(trained)
    return Export(f"{name}.vtu", lambda path: _vtu(sample(trained, resolution), path))


def _refuse_place(trained: TrainedAtPoints) -> None:
    if trained.place:
        raise ConfigError(
            f"a SavedModel takes every coordinate, so none can be fixed ({trained.place})",
            ("at",),
            "no 'at'",
        )


def _running_time(trained: TrainedAtPoints) -> str | None:
    """Return the coordinate that a series of files runs along, None where one file is enough."""
    domain = trained.problem.domain
    running = len(domain.names) - len(trained.fixed)
    return domain.time if domain.time not in trained.fixed and running in (3, 4) else None


def _check_vtk(trained: TrainedAtPoints) -> None:
    running = [name for name in trained.problem.domain.names if name not in trained.fixed]
    if len(running) > 3:
        raise ConfigError(
            f"VTK has three coordinates, this domain {len(running)}",
            ("format",),
            f"the format npz, or values for some of {', '.join(running)} in --at",
        )


def _npz(grid: RegularGrid, path: Path) -> None:
    arrays: Facts = {**grid.axes, **grid.values, "inside": grid.inside}
    with path.open("wb") as file:
        np.savez(file, **arrays)


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
    running = len(domain.names) - len(trained.fixed) - 1
    side = side_in_series(running, TIMES) if resolution is None else resolution
    entries = []
    for number, when in enumerate(span(bounds, TIMES)):
        name = f"fields_{number:04d}.vtu"
        _vtu(sample(trained.at({time: float(when)}), side), folder / name)
        entries.append(f'    <DataSet timestep="{float(when)!r}" part="0" file="{name}"/>')
    (folder / SERIES).write_text(
        '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1">\n  <Collection>\n'
        + "\n".join(entries)
        + "\n  </Collection>\n</VTKFile>\n",
        encoding="utf-8",
    )
