"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pdehvd.errors import ConfigError

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="a YAML file")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="a run directory, or latest")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=VALUE", help="override a key of the config; repeatable"),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE.py", help="a Python file with plug-ins; repeatable"),
]
Processes = Annotated[
    int | None, typer.Option("--np", metavar="N", min=1, help="number of processes")
]
Force = Annotated[
    bool,
    typer.Option("--force", help="overwrite existing files; a run's own are always overwritten"),
]
At = Annotated[
    list[str] | None,
    typer.Option(
        "--at",
        metavar="NAME=VALUE",
        help="look where a coordinate or parameter has this value; repeatable",
    ),
]


def chosen_values(given: Sequence[str] | None) -> dict[str, float]:
    """Return the values that `--at` gives, by name. Raises `ConfigError` for anything else."""
    values = {}
    for text in given or ():
        name, _, value = text.partition("=")
        try:
            values[name.strip()] = float(value)
        except ValueError:
            raise ConfigError(
                f"--at: got '{text}'", (), "a name and a number, such as t=0.5"
            ) from None
    return values
