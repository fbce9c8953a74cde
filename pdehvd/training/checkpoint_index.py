"""The format of checkpoints: an index, and files with the rows of arrays.

    step-00001000/
        index.json               what there is: counters, types, shapes, and whose rows lie where
        trainer-0.theta.npy      an array that every rank holds
        trainer-0.optimizer.inverse_strips.2.npy     the rows of rank 2 of a divided one
        SHA256SUMS               what `sha256sum -c` checks

Neither writing nor reading needs more memory than the rows of one rank at a time, and a checkpoint
is read on any number of ranks: only rank 0 needs to see the files.
"""

from __future__ import annotations

import hashlib
import math
import os
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pdehvd.numerics.divided import span_length
from pdehvd.problems.archives import reading

FORMAT = 2
INDEX, SUMS = "index.json", "SHA256SUMS"
_OLD = "state.npz"
_LARGEST_INDEX = 1 << 26
_Whole = Annotated[int, Field(ge=0, lt=2**53)]


class _Record(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Version(BaseModel):
    model_config = ConfigDict(strict=True)

    format: int


class Counters(_Record):
    """How far a run is, and its best so far."""

    step: _Whole
    seconds: float = 0.0
    lowest_loss: float = math.inf
    lowest_step: _Whole = 0
    best: float = math.inf
    best_step: _Whole = 0


class ArrayRecord(_Record):
    """An array of a checkpoint; `spans[i]` are the rows in its i-th file, null: all in one file."""

    dtype: str
    shape: tuple[_Whole, ...]
    spans: tuple[tuple[tuple[_Whole, _Whole], ...], ...] | None = None

    def described(self) -> str:
        """Return type and shape, as `float64[3, 4]`."""
        return f"{self.dtype}{list(self.shape)}"


class TrainerRecord(_Record):
    """The state of one trainer."""

    counters: Counters
    arrays: dict[str, ArrayRecord]


class Index(_Record):
    """What a checkpoint holds: the states of one trainer or of several."""

    format: int
    trainers: list[TrainerRecord]


def files_of(trainer: int, name: str, record: ArrayRecord) -> list[str]:
    """Return the names of the files of an array."""
    stem = quote(f"trainer-{trainer}.{name.replace('/', '.')}", safe="")
    if record.spans is None:
        return [f"{stem}.npy"]
    return [f"{stem}.{number}.npy" for number in range(len(record.spans))]


def is_whole(folder: Path) -> bool:
    """Return whether all files of a checkpoint are those that were written."""
    try:
        lines = (folder / SUMS).read_text(encoding="ascii").splitlines()
        pairs = [line.split("  ", 1) for line in lines]
        sums = {name: digest for digest, name in pairs}
        if INDEX not in sums or set(os.listdir(folder)) != {*sums, SUMS}:
            return False
        return all(_digest(folder / name) == digest for name, digest in sums.items())
    except (OSError, ValueError):
        return False


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()


def is_old(folder: Path) -> bool:
    """Return whether a checkpoint has the format of the first versions, one file for all."""
    return (folder / _OLD).is_file() and not (folder / INDEX).exists()


def read_index(data: bytes) -> Index:
    """Return the index of a checkpoint. Raises `ConfigError` for bytes that are none."""
    with reading("the checkpoint"):
        if len(data) > _LARGEST_INDEX:
            raise ValueError(f"{INDEX} has more than {_LARGEST_INDEX >> 20} MiB")
        try:
            version = _Version.model_validate_json(data).format
            if version != FORMAT:
                raise ValueError(f"its format is {version}; expected {FORMAT}")
            index = Index.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"{INDEX}: {place}: {first['msg']}") from error
        for trainer in index.trainers:
            for name, record in trainer.arrays.items():
                _check(name, record)
    return index


def _check(name: str, record: ArrayRecord) -> None:
    """Raise `ValueError` unless the files of an array hold each of its rows once."""
    if np.dtype(record.dtype).hasobject:
        raise ValueError(f"{name} holds objects")
    if record.spans is None:
        return
    place = 0
    for start, stop in sorted(span for spans in record.spans for span in spans):
        if start != place or stop < start:
            raise ValueError(f"the rows {place} to {start} of {name} are missing or there twice")
        place = stop
    if not record.shape or place != record.shape[0]:
        raise ValueError(f"{name} has {place} rows instead of {list(record.shape)}")


def check_files(index: Index, folder: Path) -> None:
    """Raise `ConfigError` where a file is smaller than the rows that the index puts into it."""
    with reading("the checkpoint"):
        for number, trainer in enumerate(index.trainers):
            for name, record in trainer.arrays.items():
                row = np.dtype(record.dtype).itemsize * math.prod(record.shape[1:])
                rows = [math.prod(record.shape[:1])]
                if record.spans is not None:
                    rows = [span_length(spans) for spans in record.spans]
                for file, count in zip(files_of(number, name, record), rows, strict=True):
                    if (folder / file).stat().st_size < count * row:
                        raise ValueError(f"{file} is too small for {record.described()}")
