"""The picture of a problem's domain as a file, before there is a run."""

from __future__ import annotations

from pathlib import Path

from pdehvd.assembly.kind_registry import kind_of
from pdehvd.assembly.problem import build_problem
from pdehvd.config.root import Config
from pdehvd.errors import ConfigError


def check_picture(file: Path, force: bool) -> None:
    """Raise `ConfigError` where the file is not a PNG, or exists and `force` is not given."""
    if file.suffix.lower() != ".png":
        raise ConfigError(f"the picture is a PNG file, but {file} is not", (), "NAME.png")
    if file.exists() and not force:
        message = f"{file} exists and is not overwritten"
        raise ConfigError(message, ("plot",), "a new name, or --force")


def draw_domain(config: Config, file: Path) -> None:
    """Draw the domain of a config's problem into a PNG file.

    Raises `ConfigError` for a problem without points, and where the file cannot be written.
    """
    from pdehvd.results.plots import png

    picture = kind_of(config).domain_picture(build_problem(config, 1))
    try:
        file.write_bytes(png(picture))
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {error.strerror}", ("plot",)) from error
