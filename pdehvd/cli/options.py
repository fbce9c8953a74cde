"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="a YAML file")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="a run directory, or latest")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=VALUE", help="a value that goes over the file; repeatable"),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE.py", help="Python that registers more; repeatable"),
]
Processes = Annotated[
    int | None, typer.Option("--np", metavar="N", min=1, help="number of processes")
]
Force = Annotated[
    bool,
    typer.Option(
        "--force", help="write over files that exist; a run's own in its directory always are"
    ),
]
