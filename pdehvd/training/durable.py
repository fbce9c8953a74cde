"""Files that a kill or a power cut leaves whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pdehvd.errors import ConfigError
from pdehvd.spec.plain import Facts

_NEW = ".new"
_OLD = ".old"


def temporary(path: Path) -> Path:
    """Return where a file or folder is written before it gets its name."""
    return path.with_name(f".{path.name}{_NEW}")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an `OSError` of the block name the path: a write that fails knows none."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


@contextmanager
def writing_through(path: Path) -> Iterator[BinaryIO]:
    """Open a file to be written; the disk has it at the end. Raises `OSError` that names it."""
    with naming(path), open(path, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def write_through(path: Path, data: bytes) -> None:
    """Write a file and return when the disk has it. Raises `OSError` that names the file."""
    with writing_through(path) as file:
        file.write(data)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one piece: a reader, or a power cut, finds the old one or the new one."""
    new = temporary(path)
    try:
        write_through(new, data)
        os.replace(new, path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove a folder so that a kill on the way leaves no half of it under its name.

    A file goes, and a link, but not what it points at.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    old = path.with_name(f".{path.name}{_OLD}")
    shutil.rmtree(old, ignore_errors=True)
    os.rename(path, old)
    shutil.rmtree(old)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left half written or half removed in a folder."""
    for path in folder.iterdir():
        if path.name.startswith(".") and path.name.endswith((_NEW, _OLD)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a file in one piece: a reader sees the old one or the new one."""
    write_whole(path, text.encode("utf-8"))


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a JSON file in one piece; NaN and infinities become null."""
    write_text(path, json_text(content))


def json_text(content: Mapping[str, object]) -> str:
    """Return the text of a JSON file; NaN and infinities become null."""
    return json.dumps(_plain(content), indent=2) + "\n"


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value


def read_json(path: Path) -> Facts:
    """Return a JSON object; empty where there is none. Raises `ConfigError` for something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no JSON object")
    facts: Facts = content
    return facts
