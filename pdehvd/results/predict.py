"""The solution of a trained model for a user's own coefficient field."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pdehvd.assembly.trained_run import FieldAnswer
from pdehvd.errors import ConfigError
from pdehvd.results.export_formats import check_output
from pdehvd.results.open_run import RunLike, opened
from pdehvd.results.picture_file import png
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
    """Write the solution of an input field to `NAME.solution.npz`, and a picture next to it.

    The file holds one array [*n] for each input, or is a grey picture; see `read_fields_file` for
    `key` and `range_`. Any resolution will do that the network takes. Files that exist are
    overwritten only with `force`. Raises ConfigError for a wrong shape, numbers that are not
    finite, or values of at most 0 where the inputs of the training are positive.
    """
    trained = opened(run)
    # An error in the input is reported before one in the output.
    answer = trained.solve_field(Path(file), key, range_)
    target, picture = _targets(Path(file), output, force)
    _write(answer, target, picture)
    return Answer(target, picture, answer.said)


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


def _write(answer: FieldAnswer, target: Path, picture: Path) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **answer.arrays)  # type: ignore[arg-type]
    image = png(answer.picture)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, buffer.getvalue())
        write_whole(picture, image)
    except OSError as error:
        raise ConfigError(
            f"cannot write {target}: {error.strerror or error}", ("output",)
        ) from error
