"""Reading a config file: anything but text of modest size is refused in one line."""

from __future__ import annotations

from pathlib import Path

from pdehvd.errors import ConfigError, nearest

MAXIMUM_BYTES = 1 << 20
# How the name of a file begins that holds a config from Python while a run reads it.
TEMPORARY = ".pdehvd-"


class LocatedError(ConfigError):
    """A `ConfigError` whose message already says where it happened, on one or a few lines."""


def read_text(file: Path) -> str:
    """Return the text of a config file. Raises `ConfigError` for a folder, binary data ..."""
    if file.is_dir():
        raise LocatedError(f"{file} is a folder; expected a YAML file")
    if not file.exists():
        # Endings are alike in all, so that only what stands before them is compared.
        there = file.parent.glob("*.y*ml") if file.parent.is_dir() else ()
        names = {path.stem: path.name for path in there}
        near = names.get(nearest(file.stem, names), "")
        raise LocatedError(
            f"there is no file {file}" + (f"; did you mean '{file.parent / near}'?" if near else "")
        )
    if not file.is_file():
        raise LocatedError(f"{file} is not a regular file; expected a YAML file")
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        raise LocatedError(f"cannot read {file}: {error.strerror}") from error
    if len(raw) > MAXIMUM_BYTES:
        raise LocatedError(f"{file} is larger than {MAXIMUM_BYTES} bytes; put data in other files")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise LocatedError(f"{file}:{line}: not UTF-8 text; expected a YAML file") from error
