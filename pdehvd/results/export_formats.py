"""What exports may be: their formats, and the one rule on files that exist.

A run's own files are written over, others with --force only.
"""

from __future__ import annotations

import os
from pathlib import Path

from pdehvd.errors import ConfigError, nearest

FORMATS = ("npz", "savedmodel", "vtk")
# What an export that is a folder holds, and no other folder: the note of a SavedModel, the list
# of a series.
MODEL_NOTE = "pdehvd.json"
SERIES = "fields.pvd"


def check_format(format: str) -> None:
    """Raise `ConfigError` for a format that no export has."""
    if format not in FORMATS:
        expected, near = "one of " + ", ".join(FORMATS), nearest(format, FORMATS)
        raise ConfigError(f"unknown format '{format}'", ("format",), expected, near)


def check_output(target: Path, force: bool = False, own: Path | None = None) -> None:
    """Raise `ConfigError` where a file or folder exists and must not be written over.

    What lies in the folder `own` may always be; other files only with `force`, and a folder only
    where an export made it.
    """
    if not os.path.lexists(target):
        return
    if own is not None and own.resolve() in target.resolve().parents:
        return
    if not force:
        raise ConfigError(
            f"{target} exists and is not overwritten",
            ("output",),
            "a new name in --output, or --force",
        )
    if target.is_dir() and not any((target / name).is_file() for name in (MODEL_NOTE, SERIES)):
        raise ConfigError(
            f"{target} is a folder that no export created, and is never overwritten",
            ("output",),
            "a new name",
        )
