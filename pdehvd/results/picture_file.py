"""Pictures as PNG files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.errors import ConfigError
from pdehvd.training.durable import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def png(picture: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file."""
    from pdehvd.results.plot_style import DPI, styled

    buffer = io.BytesIO()
    # Axes of values up to 1e300 overflow in matplotlib's own margins.
    with styled(), np.errstate(over="ignore"):
        picture.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", pad_inches=0.08)
    return buffer.getvalue()


def check_picture(file: Path, force: bool, option: str) -> None:
    """Raise `ConfigError` where a file has another ending, or exists and `force` is not given."""
    if file.suffix.lower() != ".png":
        raise ConfigError(f"the picture is a PNG file, but {file} is not", (option,), "NAME.png")
    if file.is_dir():
        raise ConfigError(f"{file} is a folder", (option,), "NAME.png")
    if file.exists() and not force:
        message = f"{file} exists and is not overwritten"
        raise ConfigError(message, (option,), "a new name, or --force")


def write_picture(picture: Figure, file: Path, option: str) -> None:
    """Write a figure into an option's file. Raises `ConfigError` where that cannot be written."""
    try:
        write_whole(file, png(picture))
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {error.strerror}", (option,)) from error
