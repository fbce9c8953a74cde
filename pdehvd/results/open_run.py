"""Opens a run directory to look at what was trained."""

from __future__ import annotations

import sys
from pathlib import Path

from pdehvd.assembly import run_directory as folder
from pdehvd.assembly.kind import AnyRun
from pdehvd.assembly.kind_registry import kind_of
from pdehvd.config import data_record
from pdehvd.config.data_record import changes
from pdehvd.config.root import load_config

RunLike = Path | str | AnyRun


def open_run(directory: Path, plugins: tuple[Path, ...] = (), which: str = "latest") -> AnyRun:
    """Return the run in a directory, at a checkpoint. Raises `ConfigError` for other folders."""
    found = folder.find(Path(directory))
    config, _ = load_config(found / data_record.CONFIG, plugins=plugins, look=True)
    for change in changes(found, config):
        print(change, file=sys.stderr)
    return kind_of(config).open(found, config, which)


def opened(run: RunLike) -> AnyRun:
    """Return a run as it is, or open the run directory it names.

    Raises ConfigError where the directory is not a run.
    """
    return open_run(Path(run)) if isinstance(run, str | Path) else run
