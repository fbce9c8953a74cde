"""A run in the formats of other programs: VTK, NPZ, TensorFlow's SavedModel."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from pdehvd.errors import ConfigError
from pdehvd.results.export_formats import check_format, check_output
from pdehvd.results.open_run import RunLike, opened

FOLDER = "exports"


def export(
    run: RunLike,
    format: str,
    output: Path | str | None = None,
    resolution: int | None = None,
    at: Mapping[str, float] | None = None,
    force: bool = False,
) -> Path:
    """Write a run as `vtk`, `npz` or `savedmodel` and return the path of what was written.

    What a format holds depends on the kind of the problem: see `point_export`, and
    `sample_export` for a generative model. Without `output` it goes to `exports/` in the run
    directory, over an earlier export; any other file is written over only with `force`. `at` are
    values of some coordinates.
    Raises ConfigError for an unknown format, an existing output, or a domain the format lacks.
    """
    check_format(format)
    trained = opened(run).at(at or {})
    name, write = trained.exporter(format, resolution)
    return _write(_target(trained.directory, output, name, force), write)


def _target(directory: Path, output: Path | str | None, name: str, force: bool) -> Path:
    """Return where to write. Raises `ConfigError` where something else exists there."""
    folder = Path(directory) / FOLDER
    target = folder / name if output is None else Path(output)
    check_output(target, force, folder)
    return target


def _write(target: Path, write: Callable[[Path], None]) -> Path:
    """Write next to the target, then put it in place in one step."""
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
