"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
