"""The network's answer to a person's own coefficient field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from pdehvd.errors import ConfigError, nearest
from pdehvd.experiment.given_fields import check_field, check_takes_fields
from pdehvd.experiment.opened import RunLike, opened
from pdehvd.experiment.trained_grid import TrainedOnGrid
from pdehvd.problems.archives import read_hdf5, read_npz, reading, real


def predict_field(run: RunLike, file: Path, output: Path | None = None) -> tuple[Path, Path]:
    """Write the solution of an input field to `NAME.solution.npz`, and a picture beside it.

    The file holds one array [*n] for each input: NPZ or HDF5 by the inputs' names (a single array
    may have any name), or a grey PNG picture, whose brightness 0..1 is the field. Any resolution
    will do that the network takes. Raises ConfigError for a wrong shape, numbers that are not
    finite, or values of at most 0 where the inputs of the training are positive.
    """
    trained = opened(run)
    if not isinstance(trained, TrainedOnGrid):
        raise ConfigError("this run's network maps points, not fields", (), "a parametric problem")
    check_takes_fields(trained)
    fields = _read(Path(file), trained.problem.inputs)
    try:
        for name, field in fields.items():
            check_field(trained, name, field, field.shape)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.message}", ("field",), error.expected) from error
    target = Path(output) if output else Path(file).with_name(f"{Path(file).stem}.solution.npz")
    picture = target.with_suffix(".png")
    for path in (target, picture):
        if path.exists():
            raise ConfigError(f"{path} exists and is not written over", ("output",), "a new name")
    u = trained.predict({name: field[None] for name, field in fields.items()})[0]
    _write(trained, fields, u, target, picture)
    return target, picture


def _write(
    trained: TrainedOnGrid,
    fields: dict[str, np.ndarray],
    u: np.ndarray,
    target: Path,
    picture: Path,
) -> None:
    from pdehvd.experiment.plots import png
    from pdehvd.experiment.plots_samples import samples

    axes = dict(zip(trained.problem.coordinates, trained.problem.axes(len(u)), strict=True))
    arrays = {**axes, **fields, trained.problem.field: u}
    image = png(
        samples(trained, {name: field[None] for name, field in fields.items()}, u[None], None)
    )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
        picture.write_bytes(image)
    except OSError as error:
        raise ConfigError(
            f"cannot write {target}: {error.strerror or error}", ("output",)
        ) from error


def _read(file: Path, inputs: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the input fields of a file in float64."""
    readers: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
        ".npz": read_npz,
        ".h5": read_hdf5,
        ".hdf5": read_hdf5,
        ".png": _png,
    }
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise ConfigError(
            f"'{file.name}' has no known ending",
            ("field",),
            "one of " + ", ".join(readers),
            nearest(file.suffix, readers),
        )
    try:
        with reading(file):
            arrays = reader(file)
    except ConfigError as error:
        raise error.within("field") from error
    if len(arrays) == 1 and len(inputs) == 1:
        arrays = {inputs[0]: next(iter(arrays.values()))}
    missing = [name for name in inputs if name not in arrays]
    if missing:
        raise ConfigError(
            f"{file} holds {', '.join(arrays) or 'nothing'}, not {', '.join(missing)}",
            ("field",),
            "an array for each of " + ", ".join(inputs),
        )
    try:
        return {name: real(arrays[name]) for name in inputs}
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{file} holds something else than numbers", ("field",)) from error


def _png(file: Path) -> dict[str, np.ndarray]:
    """Return the brightness of a picture; its first axis runs to the right, its second up."""
    import matplotlib.image

    pixels = matplotlib.image.imread(file)
    grey = pixels if pixels.ndim == 2 else pixels[..., :3].mean(-1)
    return {"picture": grey[::-1].T}
