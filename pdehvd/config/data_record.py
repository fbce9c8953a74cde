"""The files that a run was trained with: their paths, their digests, and copies of small ones.

A run directory can be moved: what lies near it is named by a relative path, and a copy stands for
a file that is missing, or for another one at its relative path, when the run is opened.
Training takes a copy only when asked to.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from pdehvd.config.plugins import loaded
from pdehvd.config.yaml_source import to_yaml
from pdehvd.errors import ConfigError
from pdehvd.errors import Path as Keys
from pdehvd.problems.archives import reading
from pdehvd.spec import Spec, data_files
from pdehvd.spec.plain import Json, item, put
from pdehvd.training.durable import read_json, write_json, write_text, write_whole

CONFIG = "config.yaml"
RECORD, FOLDER = "trained_with.json", "data"
LARGEST_COPY = 1 << 20
_CHUNK = 1 << 24


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class DataFileRecord(_Frozen):
    """A file: its key and path in `config.yaml`, where it was, and its copy in the run, if any."""

    key: str
    path: str
    original: str
    sha256: str
    bytes: int
    kept: str | None = None


class PluginRecord(_Frozen):
    """A plug-in that was loaded; the run holds no copy of code."""

    file: str
    sha256: str


class DataRecord(_Frozen):
    """What `trained_with.json` holds."""

    files: tuple[DataFileRecord, ...] = ()
    plugins: tuple[PluginRecord, ...] = ()

    def of(self, keys: Keys) -> DataFileRecord | None:
        """Return what is known of the file under a key of the config."""
        return next((file for file in self.files if file.key == _dotted(keys)), None)


def read_record(directory: Path) -> DataRecord:
    """Return the record of a run, empty where there is none. Raises `ConfigError`."""
    try:
        return DataRecord.model_validate(read_json(directory / RECORD))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{directory / RECORD} is damaged: {place}: {first['msg']}") from error


def write_config(directory: Path, config: Spec) -> None:
    """Write `config.yaml` so that it can be moved, and what is known of the files it names."""
    data = config.plain()
    files = []
    for keys, file in data_files(config):
        path = _stored(Path(file), directory)
        _put(data, keys, path)
        digest, size = _digest(Path(file))
        kept = _keep(Path(file), digest, directory) if size <= LARGEST_COPY else None
        entry = {"key": _dotted(keys), "path": path, "original": str(file), "sha256": digest}
        files.append(DataFileRecord(**entry, bytes=size, kept=kept))
    plugins = [PluginRecord(file=str(file), sha256=_digest(file)[0]) for file in loaded()]
    record = DataRecord(files=tuple(files), plugins=tuple(plugins))
    if files or plugins or (directory / RECORD).exists():
        write_json(directory / RECORD, record.model_dump())
    write_text(directory / CONFIG, to_yaml(data))


def copies(directory: Path) -> dict[str, str]:
    """Return the copies that stand for files of a run, by the path in its `config.yaml`."""
    return {
        file.path: str(copy)
        for file in read_record(directory).files
        if (copy := _copy(directory, file)) and not _is_there(directory, file)
    }


class Completed(NamedTuple):
    """A record in which each file that can be found has a copy.

    `added` are the files to copy, by the path of the copy in the run; `lost` those not found.
    """

    record: DataRecord
    added: dict[str, Path]
    lost: list[str]


def completed(directory: Path) -> Completed:
    """Return the record of a run with copies of files that were too large to be kept.

    A file is taken from where `config.yaml` says, or from where it was, if it has not changed.
    """
    record, added, lost = read_record(directory), dict[str, Path](), list[str]()
    files = []
    for file in record.files:
        if _copy(directory, file) is None:
            places = (_place(directory, file), Path(file.original))
            found = next((one for one in places if one and _is_same(one, file)), None)
            kept = None
            if found is None:
                lost.append(file.original)
            else:
                kept = f"{FOLDER}/{file.sha256[:8]}-{found.name}"
                added[kept] = found
            file = file.model_copy(update={"kept": kept})
        files.append(file)
    return Completed(record.model_copy(update={"files": tuple(files)}), added, lost)


def _is_there(directory: Path, file: DataFileRecord) -> bool:
    """Return whether a file is where it was, changed or not, or the same one at its new place."""
    there = _place(directory, file)
    if there is None or not there.is_file():
        return False
    return str(there) == file.original or _is_same(there, file)


def _place(directory: Path, file: DataFileRecord) -> Path | None:
    """Return where `config.yaml` says that a file is; None where that cannot be followed."""
    with suppress(RuntimeError, OSError):
        return (directory / Path(file.path).expanduser()).resolve()
    return None


def _is_same(there: Path, file: DataFileRecord) -> bool:
    with suppress(ConfigError):
        return _digest(there)[0] == file.sha256
    return False


def changes(directory: Path, config: Spec) -> Iterator[str]:
    """Yield a sentence for each file that is not what it was when a run was trained with it."""
    record = read_record(directory)
    for keys, file in data_files(config):
        known = record.of(keys)
        there = _place(directory, known) if known else None
        if known and there and there.is_file() and Path(file) == _copy(directory, known):
            if there != Path(file) and not _is_same(there, known):
                yield (
                    f"warning: {there} is not the file that this run was trained with, which was "
                    f"{known.original}: its copy is used, {file}"
                )
        elif known and Path(file).is_file() and _digest(Path(file))[0] != known.sha256:
            copy = _copy(directory, known)
            was = f" (as it was: {copy})" if copy else ""
            yield f"warning: {file} has changed since this run was trained with it{was}"


def check_there(directory: Path, config: Spec) -> None:
    """Raise `ConfigError` where files are missing that the run in a directory was trained with.

    The message says what the run knows of the first, and the settings that put the copies of all
    in their places; in other directories nothing is known.
    """
    record = read_record(directory)
    missing = [
        (keys, file, known)
        for keys, file in data_files(config)
        if (known := record.of(keys)) is not None and not Path(file).exists()
    ]
    if not missing:
        return
    keys, file, first = missing[0]
    was = "" if first.original == str(file) else f", which was {first.original}"
    others = [path for _, path, _ in missing[1:]]
    also = f" (nor {', '.join(others)})" if others else ""
    expected = f"the same file as in the training, of SHA-256 {first.sha256[:16]}..."
    kept = [(known.key, copy) for _, _, known in missing if (copy := _copy(directory, known))]
    if kept:
        settings = " ".join(f"--set {shlex.quote(f'{key}={copy}')}" for key, copy in kept)
        held = "the copy" if len(kept) == 1 else "the copies"
        expected += f", or {held} that the run holds: {settings}"
    raise ConfigError(f"there is no file {file}{was}{also}", keys, expected)


def digests(config: Spec) -> str:
    """Return a line with key and digest for each file of a config that is there."""
    found = [(keys, Path(file)) for keys, file in data_files(config) if Path(file).is_file()]
    return "\n".join(f"{_dotted(keys)} {_digest(file)[0]}" for keys, file in found)


def missing_plugins(directory: Path) -> list[str]:
    """Return the plug-ins that a run was trained with and that are not loaded now."""
    here = {_digest(file)[0] for file in loaded()}
    return [plugin.file for plugin in read_record(directory).plugins if plugin.sha256 not in here]


def _copy(directory: Path, file: DataFileRecord) -> Path | None:
    """Return the copy of a file that a run holds, if it does, and never a file elsewhere."""
    copy = (directory / FOLDER / Path(file.kept or "").name).resolve()
    return copy if file.kept and copy.is_file() else None


def _dotted(keys: Keys) -> str:
    return ".".join(map(str, keys))


def _stored(file: Path, directory: Path) -> str:
    """Return a path relative to a run for what lies in it, or in the folder of all the runs."""
    # runs/NAME/TIME: the folder that holds runs/, unless that is the root of the file system.
    parents = directory.parents
    near = parents[2] if len(parents) > 3 else directory
    return os.path.relpath(file, directory) if file.is_relative_to(near) else str(file)


def _put(data: Json, keys: Keys, value: str) -> None:
    for key in keys[:-1]:
        data = item(data, key)
    put(data, keys[-1], value)


def _digest(file: Path) -> tuple[str, int]:
    """Return the SHA-256 digest of a file and its size in bytes."""
    digest, size = hashlib.sha256(), 0
    with reading(file), file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _keep(file: Path, digest: str, directory: Path) -> str:
    """Copy a file into a run and return the path of the copy in it."""
    folder = directory / FOLDER
    if file.parent == folder:
        return f"{FOLDER}/{file.name}"
    folder.mkdir(exist_ok=True)
    name = file.name
    if (folder / name).is_file() and _digest(folder / name)[0] != digest:
        name = f"{file.stem}-{digest[:8]}{file.suffix}"
    if not (folder / name).exists():
        with reading(file):
            data = file.read_bytes()
        write_whole(folder / name, data)
    return f"{FOLDER}/{name}"
