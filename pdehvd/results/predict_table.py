"""The fields of a run at the points of a user's table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pdehvd.assembly.trained_run import Outside
from pdehvd.errors import ConfigError, within
from pdehvd.problems.archives import reading
from pdehvd.problems.data import TEXT, Table, read_text_table
from pdehvd.problems.text_table import TextTable
from pdehvd.problems.text_writing import with_columns
from pdehvd.results.export_formats import check_output
from pdehvd.results.open_run import RunLike, opened
from pdehvd.training.durable import write_text

# What an output is called if the table has a column of its name already.
_SECOND = "_predicted"


@dataclass(frozen=True)
class TableAnswer:
    """The table with the fields, and sentences on points outside and names that were taken."""

    table: Path
    said: tuple[str, ...]


def predict_table(
    run: RunLike,
    file: Path,
    output: Path | None = None,
    outside: Outside = "warn",
    force: bool = False,
) -> TableAnswer:
    """Write every output at the points of a text table to `NAME.solution.csv`, behind its columns.

    The table is read as one of data; its other columns may hold anything. See `Run.predict` for
    points `outside` the domain. A file that exists is overwritten only with `force`.
    Raises `ConfigError` for what is not a table of points.
    """
    trained = opened(run)
    coordinates = trained.columns_of_points()
    target = _target(file, output, force)
    with within("points"):
        text = _read(file)
        points = Table(file, text).columns(coordinates, finite=False)
        try:
            values, warning = trained.fields_at(points, outside)
        except ConfigError as error:
            expected = _in_shell(error.expected)
            raise ConfigError(_in_shell(error.message), error.path, expected) from error
        names = {name: _free(name, text, file) for name in values}
    added = {names[name]: np.asarray(value) for name, value in values.items()}
    _write(target, with_columns(text, coordinates, added))
    changed = [
        f"{file} has a column '{name}': the predicted one is '{new}'"
        for name, new in names.items()
        if new != name
    ]
    return TableAnswer(target, tuple(filter(None, [_in_shell(warning), *changed])))


def _read(file: Path) -> TextTable:
    if file.suffix.lower() not in TEXT:
        raise ConfigError(f"'{file.name}' is not a text table", (), _one_of_endings())
    if not file.is_file():
        raise ConfigError(f"there is no file {file}", (), "a table of points")
    with reading(file):
        return read_text_table(file)


def _target(file: Path, output: Path | None, force: bool) -> Path:
    """Return where the table goes. Raises `ConfigError` where it must not."""
    target = file.with_name(f"{file.stem}.solution{file.suffix}") if output is None else output
    if output is not None and target.suffix.lower() not in TEXT:
        raise ConfigError(f"the table cannot be '{target.name}'", ("output",), _one_of_endings())
    if target.resolve() == file.resolve():
        raise ConfigError(f"{target} is the input itself", ("output",), "another name")
    check_output(target, force)
    return target


def _one_of_endings() -> str:
    return "a name that ends in one of " + ", ".join(TEXT)


def _free(name: str, table: TextTable, file: Path) -> str:
    """Return a name for an output that no column of a table has. Raises `ConfigError`."""
    for free in (name, name + _SECOND):
        if free not in table.names:
            return free
    raise ConfigError(
        f"{file} has columns '{name}' and '{name}{_SECOND}'", (), "another name for one of them"
    )


def _in_shell(text: str) -> str:
    return text.replace('outside="nan"', "--outside nan")


def _write(target: Path, text: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_text(target, text)
    except OSError as error:
        message = f"cannot write {target}: {error.strerror or error}"
        raise ConfigError(message, ("output",)) from error
