"""Configs to begin with: a commented example of each kind of problem."""

from __future__ import annotations

import re
from pathlib import Path

from pdehvd.config.root import prepare, validate
from pdehvd.config.yaml_source import YamlSource, parse_source
from pdehvd.errors import ConfigError, nearest
from pdehvd.training.durable import write_text

KINDS = {
    "steady": "boundary values in the plane",
    "time": "one coordinate and time",
    "inverse": "an unknown number from measured values",
    "ode": "an ordinary differential equation",
    "shape": "a domain with a hole",
    "generative": "a network from coefficient fields to solutions",
}
_FOLDER = Path(__file__).parent / "templates"
# How the templates call the new files.
_NAME = "NAME"
_LETTERS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def write_template(name: str, kind: str) -> list[Path]:
    """Write a commented config of a kind to `NAME.yaml`, and its table to `NAME.csv` if it has one.

    `name` may be a path, with or without its ending. Raises `ConfigError` for an unknown kind, a
    name that a run cannot have, files that exist, and a folder that cannot be written.
    """
    if kind not in KINDS:
        expected, near = "one of " + ", ".join(KINDS), nearest(kind, KINDS)
        raise ConfigError(f"unknown kind '{kind}'", ("kind",), expected, near)
    stem = Path(name.removesuffix(".yaml"))
    if not _LETTERS.fullmatch(stem.name):
        expected = "letters, digits, '.', '_' and '-', such as rod"
        raise ConfigError(f"the name '{stem.name}'", (), expected)
    files = {}
    for ending in (".yaml", ".csv"):
        template = _FOLDER / f"{kind}{ending}"
        if template.is_file():
            text = template.read_text(encoding="utf-8").replace(_NAME, stem.name)
            files[stem.with_name(f"{stem.name}{ending}")] = text
    _check(files)
    for file, text in files.items():
        try:
            write_text(file, text)
        except OSError as error:
            raise ConfigError(f"cannot write {file}: {error.strerror}") from error
    return list(files)


def _check(files: dict[Path, str]) -> None:
    """Raise `ConfigError` where a file exists, or a run cannot have the name of the config."""
    for file in files:
        if file.exists() or file.is_symlink():
            raise ConfigError(f"{file} exists and is not overwritten", (), "a new name")
    config, text = next(iter(files.items()))
    prepare()
    source = parse_source(text, str(config))
    validate(YamlSource(str(config), source.data, source.marks, config.resolve().parent))
