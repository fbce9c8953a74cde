"""The network's answer to a person's own coefficient field."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pdehvd.errors import ConfigError
from pdehvd.results.export_formats import check_output
from pdehvd.results.field_files import PICTURES, read_fields_file
from pdehvd.results.field_input import check_field, check_takes_fields
from pdehvd.results.solution import RunLike, opened
from pdehvd.results.trained_grid import TrainedOnGrid
from pdehvd.training.durable import write_whole


@dataclass(frozen=True)
class Answer:
    """The files of a solution and of its picture, and a sentence on what was taken as input."""

    solution: Path
    picture: Path
    said: str


def predict_field(
    run: RunLike,
    file: Path,
    output: Path | None = None,
    key: str | None = None,
    range_: str | None = None,
    force: bool = False,
) -> Answer:
    """Write the solution of an input field to `NAME.solution.npz`, and a picture beside it.

    The file holds one array [*n] for each input, or is a grey picture; see `read_fields_file` for
    `key` and `range_`. Any resolution will do that the network takes. Files that exist are
    written over only with `force`. Raises ConfigError for a wrong shape, numbers that are not
    finite, or values of at most 0 where the inputs of the training are positive.
    """
    trained = opened(run)
    if not isinstance(trained, TrainedOnGrid):
        raise ConfigError(
            "this run's network maps points, not fields",
            (),
            "a parametric problem; values at points are given by Run(...).predict in Python",
        )
    check_takes_fields(trained)
    file = Path(file)
    given = read_fields_file(file, trained.problem.inputs, key, range_)
    try:
        for name, field in given.fields.items():
            check_field(trained, name, field, field.shape)
    except ConfigError as error:
        expected = error.expected
        if file.suffix.lower() in PICTURES and expected.startswith("values above"):
            expected += "; --range 0.1:10 gives black the value 0.1 and white 10"
        raise ConfigError(f"{file}: {error.message}", ("field",), expected) from error
    target, picture = _targets(file, output, force)
    u = trained.predict({name: field[None] for name, field in given.fields.items()})[0]
    _write(trained, given.fields, u, target, picture)
    return Answer(target, picture, given.said)


def _targets(file: Path, output: Path | None, force: bool) -> tuple[Path, Path]:
    """Return where solution and picture go. Raises `ConfigError` where they must not."""
    target = file.with_name(f"{file.stem}.solution.npz") if output is None else Path(output)
    if target.suffix.lower() != ".npz":
        raise ConfigError(f"the solution cannot be '{target.name}'", ("output",), "a name in .npz")
    picture = target.with_suffix(".png")
    for path in (target, picture):
        if path.resolve() == file.resolve():
            raise ConfigError(f"{path} is the input itself", ("output",), "another name")
        check_output(path, force)
    return target, picture


def _write(
    trained: TrainedOnGrid,
    fields: dict[str, np.ndarray],
    u: np.ndarray,
    target: Path,
    picture: Path,
) -> None:
    from pdehvd.results.plots import png
    from pdehvd.results.plots_samples import samples

    axes = dict(zip(trained.problem.coordinates, trained.problem.axes(len(u)), strict=True))
    arrays = {**axes, **fields, trained.problem.field: u}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    inputs = {name: field[None] for name, field in fields.items()}
    image = png(samples(trained, inputs, u[None], None, numbered=False))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, buffer.getvalue())
        write_whole(picture, image)
    except OSError as error:
        raise ConfigError(
            f"cannot write {target}: {error.strerror or error}", ("output",)
        ) from error
