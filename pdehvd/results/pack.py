"""A run as one file that can be taken anywhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from pdehvd.assembly.run_directory import Lock
from pdehvd.config.data_record import CONFIG, RECORD, completed
from pdehvd.config.yaml_source import read_source
from pdehvd.errors import ConfigError
from pdehvd.results.export_formats import check_output
from pdehvd.training.checkpoint import FOLDER, find_checkpoint
from pdehvd.training.durable import json_text, sync_folder, temporary

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Packed:
    """The file of a run, its size in bytes, how many files it holds, and what they lack."""

    file: Path
    size: int
    files: int
    said: tuple[str, ...]


def pack(directory: Path, output: Path | None = None, force: bool = False) -> Packed:
    """Write a run to `NAME-TIME.zip` in the current folder, with all data files it was trained on.

    Of the checkpoints only the newest and the best are taken. The file is there whole or not at
    all. Raises `ConfigError` for a run without a checkpoint, one that is being written, and a file
    that exists unless `force`.
    """
    name = f"{read_source(directory / CONFIG).data.get('name', 'run')}-{directory.name}"
    target = Path(f"{name}.zip") if output is None else output
    if target.suffix != ".zip":
        raise ConfigError(f"the file cannot be '{target.name}'", ("output",), "a name in .zip")
    check_output(target, force)
    with Lock() as lock:
        lock.take(directory)
        known = completed(directory)
        files = dict(_files(directory))
        files |= known.added
        try:
            _write(target, name, files, json_text(known.record.model_dump()))
        except OSError as error:
            message = f"cannot write {target}: {error.strerror or error}"
            raise ConfigError(message, ("output",)) from error
    lost = [f"{file} is not in it: it is missing, or has changed" for file in known.lost]
    plugins = [
        f"the run needs --plugin {one.file}, which is not in it" for one in known.record.plugins
    ]
    return Packed(target, target.stat().st_size, len(files), (*lost, *plugins))


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files and links of a run to be packed, by their path in it."""
    checkpoints = directory / FOLDER
    chosen = {find_checkpoint(directory).name}
    with suppress(OSError):
        chosen.add((checkpoints / "best").resolve(strict=True).name)
    for folder, below, names in os.walk(directory):
        place = Path(folder)
        links = [name for name in below if (place / name).is_symlink()]
        if place == checkpoints:
            below[:] = [name for name in below if name in chosen]
            names = [name for name in links if os.readlink(place / name) in chosen]
        below[:] = sorted(name for name in below if name not in links and name[0] != ".")
        for name in sorted(names):
            if not name.startswith("."):
                path = place / name
                yield str(path.relative_to(directory)), path


def _write(target: Path, name: str, files: dict[str, Path], record: str) -> None:
    """Write the archive next to the target, then put it in place in one step."""
    new = temporary(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(new, "wb") as stream:
            with ZipFile(stream, "w", ZIP_DEFLATED) as archive:
                for inside, path in sorted(files.items()):
                    _add(archive, f"{name}/{inside}", path, record)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(new, target)
    finally:
        new.unlink(missing_ok=True)
    sync_folder(target.parent)


def _add(archive: ZipFile, inside: str, path: Path, record: str) -> None:
    """Add a file; a link as a link, and the record of data files as it is for this archive."""
    if path.is_symlink():
        info = ZipInfo(inside)
        info.create_system = 3
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, os.readlink(path))
    elif inside.partition("/")[2] == RECORD:
        archive.writestr(inside, record)
    else:
        info = ZipInfo.from_file(path, inside, strict_timestamps=False)
        info.compress_type = ZIP_DEFLATED
        with path.open("rb") as source, archive.open(info, "w") as into:
            while block := source.read(_BLOCK):
                into.write(block)
