"""A run in the formats of other programs: VTK, NPZ, TensorFlow's SavedModel."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pdehvd.errors import ConfigError
from pdehvd.results.export_formats import SERIES, check_format, check_output
from pdehvd.results.export_model import save_model
from pdehvd.results.export_samples import writer
from pdehvd.results.regular_grid import Grid, cells, sample
from pdehvd.results.solution import RunLike, Trained, opened, span
from pdehvd.results.trained_grid import TrainedOnGrid

FOLDER = "exports"
TIMES = 21


def export(
    run: RunLike,
    format: str,
    output: Path | str | None = None,
    resolution: int | None = None,
    time: float | None = None,
    force: bool = False,
) -> Path:
    """Write a run as `vtk`, `npz` or `savedmodel` and return the path of what was written.

    vtk: a grid as .vtu, the time of a 1-D problem as second axis; with two or three space
    coordinates and time a folder of .vtu files and the .pvd that lists them, or one .vtu at
    `time`. npz: axes, fields and `inside` on the whole grid. savedmodel: see `save_model`.
    `resolution` is the number of points a coordinate. Without `output` it goes to
    `exports/` in the run directory, over an earlier export; any other file is written over only
    with `force`.
    A generative model exports its held-out samples, see `export_samples`.
    Raises ConfigError for an unknown format, an existing output, or a domain the format lacks.
    """
    check_format(format)
    trained = opened(run)
    write: Callable[[Path], None]
    if isinstance(trained, TrainedOnGrid):
        if resolution is not None or time is not None:
            message = "a generative model has its own grid"
            raise ConfigError(message, ("resolution",), "no resolution and no time")
        name, write = writer(trained, format)
        return _write(_target(trained.directory, output, name, force), write)
    if format == "savedmodel":
        name, write = "savedmodel", lambda path: save_model(trained, path)
    elif format == "npz":
        fixed = _at(trained, time)
        name, write = "fields.npz", lambda path: _npz(sample(trained, resolution, fixed), path)
    elif _is_series(trained, time):
        name, write = "fields", lambda path: _series(trained, resolution, path)
    else:
        fixed = _at(trained, time)
        _check_vtk(trained, fixed)
        name, write = "fields.vtu", lambda path: _vtu(sample(trained, resolution, fixed), path)
    return _write(_target(trained.directory, output, name, force), write)


def _target(directory: Path, output: Path | str | None, name: str, force: bool) -> Path:
    """Return where to write. Raises `ConfigError` where something else exists there."""
    folder = Path(directory) / FOLDER
    target = folder / name if output is None else Path(output)
    check_output(target, force, folder)
    return target


def _write(target: Path, write: Callable[[Path], None]) -> Path:
    """Write beside the target, then put it in place in one step."""
    temporary = target.with_name(f".{target.name}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _remove(temporary)
            write(temporary)
            _remove(target)
            os.replace(temporary, target)
        finally:
            _remove(temporary)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"cannot write {target}: {reason}", ("output",)) from error
    return target


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _at(trained: Trained, time: float | None) -> dict[str, float]:
    """Return the coordinate that a chosen time fixes."""
    if time is None:
        return {}
    domain = trained.problem.domain
    if domain.time is None or len(domain.names) == 1:
        raise ConfigError("a time was chosen, but there is nothing to choose it in", ("time",))
    return {domain.time: float(time)}


def _is_series(trained: Trained, time: float | None) -> bool:
    domain = trained.problem.domain
    return domain.time is not None and time is None and len(domain.names) in (3, 4)


def _check_vtk(trained: Trained, fixed: Mapping[str, float]) -> None:
    running = len(trained.problem.domain.names) - len(fixed)
    if running > 3:
        raise ConfigError(
            f"VTK has three coordinates, this domain {running}", ("format",), "the format npz"
        )


def _npz(grid: Grid, path: Path) -> None:
    arrays: dict[str, Any] = {**grid.axes, **grid.values, "inside": grid.inside}
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _vtu(grid: Grid, path: Path) -> None:
    """Write a grid of up to three axes; missing coordinates are 0."""
    import meshio

    kind, corners, used = cells(grid.inside)
    mesh = np.meshgrid(*grid.axes.values(), indexing="ij")
    points = np.zeros((len(used), 3))
    for index, column in enumerate(mesh):
        points[:, index] = column.ravel()[used]
    values = {name: value.ravel()[used] for name, value in grid.values.items()}
    meshio.Mesh(points, [(kind, corners)], point_data=values).write(path, file_format="vtu")


def _series(trained: Trained, resolution: int | None, folder: Path) -> None:
    """Write a folder of one .vtu a time, and the .pvd that ParaView opens."""
    domain = trained.problem.domain
    folder.mkdir()
    bounds = np.asarray(domain.bounds, dtype=float)[tuple(domain.names).index(domain.time)]
    entries = []
    for number, when in enumerate(span(bounds, TIMES)):
        name = f"fields_{number:04d}.vtu"
        _vtu(sample(trained, resolution, {domain.time: float(when)}), folder / name)
        entries.append(f'    <DataSet timestep="{float(when)!r}" part="0" file="{name}"/>')
    (folder / SERIES).write_text(
        '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1">\n  <Collection>\n'
        + "\n".join(entries)
        + "\n  </Collection>\n</VTKFile>\n",
        encoding="utf-8",
    )
