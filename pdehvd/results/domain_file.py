"""The picture of a problem's domain as a file, before there is a run."""

from __future__ import annotations

from pathlib import Path

from pdehvd.assembly.kind_registry import kind_of
from pdehvd.assembly.problem import build_problem
from pdehvd.config.root import Config
from pdehvd.results.picture_file import write_picture


def draw_domain(config: Config, file: Path) -> None:
    """Draw the domain of a config's problem into a PNG file.

    Raises `ConfigError` for a problem without points, and where the file cannot be written.
    """
    write_picture(kind_of(config).domain_picture(build_problem(config, 1)), file, "plot")
