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
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pdehvd.comm.group import Group, Solo
from pdehvd.errors import ConfigError
from pdehvd.numerics.divided import Arrays, Divided, Span, length, overlaps
from pdehvd.problems.archives import reading
from pdehvd.training.durable import write_through, writing_through

FORMAT = 2
INDEX, SUMS = "index.json", "SHA256SUMS"
_OLD = "state.npz"
_LARGEST_INDEX = 1 << 26
# Bytes that travel between ranks at once.
_MESSAGE = 1 << 26
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


@dataclass(frozen=True)
class Snapshot:
    """What a checkpoint keeps of one trainer; every rank has its part of divided arrays."""

    counters: Counters
    arrays: Arrays = field(default_factory=dict)

    def record(self) -> TrainerRecord:
        """Return the entry of the index."""
        return TrainerRecord(
            counters=self.counters,
            arrays={
                name: ArrayRecord(
                    dtype=array.dtype.name,
                    shape=array.shape,
                    spans=array.spans if isinstance(array, Divided) else None,
                )
                for name, array in self.arrays.items()
            },
        )


def write_snapshots(
    folder: Path | None,
    snapshots: Sequence[Snapshot],
    before: Callable[[Path], None] = lambda path: None,
) -> None:
    """Write the states of trainers into an empty folder; ranks without one send their rows.

    `before` is called with the path of each file. Raises `OSError` that names the file which the
    disk does not take.
    """
    sums: dict[str, str] = {}
    for number, snapshot in enumerate(snapshots):
        for name, array in snapshot.arrays.items():
            parts = array.parts() if isinstance(array, Divided) else [array]
            files = _files(number, name, snapshot.record().arrays[name])
            for file, rows in zip(files, parts, strict=True):
                if folder is not None:
                    before(folder / file)
                    sums[file] = _write_rows(folder / file, rows)
    if folder is None:
        return
    index = Index(format=FORMAT, trainers=[snapshot.record() for snapshot in snapshots])
    # Infinities stay what they are: JSON of Python's.
    text = json.dumps(index.model_dump(mode="python"), indent=1).encode()
    sums[INDEX] = hashlib.sha256(text).hexdigest()
    lines = "".join(f"{sums[name]}  {name}\n" for name in sums)
    for path, content in ((folder / INDEX, text), (folder / SUMS, lines.encode())):
        before(path)
        write_through(path, content)


def _files(trainer: int, name: str, record: ArrayRecord) -> list[str]:
    """Return the names of the files of an array."""
    stem = quote(f"trainer-{trainer}.{name.replace('/', '.')}", safe="")
    if record.spans is None:
        return [f"{stem}.npy"]
    return [f"{stem}.{number}.npy" for number in range(len(record.spans))]


class _Hashed:
    """A file that knows the digest of what was written to it."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self._write = write
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Write bytes."""
        self.digest.update(data)
        return self._write(data)


def _write_rows(path: Path, rows: np.ndarray) -> str:
    """Write an array as NPY; return its digest."""
    with writing_through(path) as file:
        hashed = _Hashed(file.write)
        np.lib.format.write_array(hashed, np.asarray(rows, order="C"), allow_pickle=False)
    return hashed.digest.hexdigest()


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
                    rows = [length(spans) for spans in record.spans]
                for file, count in zip(_files(number, name, record), rows, strict=True):
                    if (folder / file).stat().st_size < count * row:
                        raise ValueError(f"{file} is too small for {record.described()}")


class StoredState:
    """The state of one trainer in a checkpoint, read array by array; see `numerics.divided.Stored`.

    `folder` is where rank 0 of `group` finds the files; None on the others.
    """

    def __init__(
        self,
        index: Index,
        folder: Path | None,
        group: Group | None = None,
        trainer: int = 0,
        prefix: str = "",
    ) -> None:
        if trainer >= len(index.trainers):
            raise ConfigError(
                f"the checkpoint has no trainer {trainer}", (), f"0 to {len(index.trainers) - 1}"
            )
        self._index, self._folder, self._group = index, folder, group or Solo()
        self._trainer, self._prefix = trainer, prefix

    @property
    def _record(self) -> TrainerRecord:
        return self._index.trainers[self._trainer]

    @property
    def counters(self) -> Counters:
        """How far the run was."""
        return self._record.counters

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the arrays."""
        start = len(self._prefix)
        return tuple(n[start:] for n in self._record.arrays if n.startswith(self._prefix))

    def below(self, prefix: str) -> StoredState:
        """Return the arrays whose names begin with a prefix, without it."""
        place = (self._index, self._folder, self._group, self._trainer)
        return StoredState(*place, self._prefix + prefix)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a whole array."""
        return self._array(name).shape

    def described(self, name: str) -> str:
        """Return type and shape of an array, as `float64[3]`; `missing` where there is none."""
        return self._array(name).described() if name in self.names else "missing"

    def whole(self, name: str) -> np.ndarray:
        """Return all of an array."""
        shape = self.shape(name)
        return self.rows(name, [(0, shape[0] if shape else 1)]).reshape(shape)

    def rows(self, name: str, spans: Sequence[Span]) -> np.ndarray:
        """Return the rows of spans of an array [n, ...], one after another.

        Raises `ConfigError`, on all ranks alike, where a file cannot be read.
        """
        record = self._array(name)
        shape = record.shape or (1,)
        found = np.empty((length(spans), *shape[1:]), np.dtype(record.dtype))
        files = _files(self._trainer, self._prefix + name, record)
        for file, held in zip(files, record.spans or [[(0, shape[0])]], strict=True):
            for place, part in _messages(held, found.dtype.itemsize * math.prod(shape[1:])):
                values = self._message(file, record, place, part)
                for into, out_of in overlaps(spans, part):
                    found[into] = values[out_of]
        return found

    def _array(self, name: str) -> ArrayRecord:
        with reading("the checkpoint"):
            if self._prefix + name not in self._record.arrays:
                raise ValueError(f"it holds no {name}")
        return self._record.arrays[self._prefix + name]

    def _message(self, file: str, record: ArrayRecord, place: int, part: Span) -> np.ndarray:
        """Return rows of a file from `place` on, as rank 0 reads them, on every rank."""
        rows, shape = part[1] - part[0], record.shape[1:]
        answer = b""
        if self._folder is not None:
            try:
                answer = b"+" + _read_rows(self._folder / file, record, place, rows)
            except ConfigError as error:
                answer = b"-" + os.fsencode(str(error))
        answer = self._group.broadcast_bytes(answer)
        if answer[:1] == b"-":
            raise ConfigError(os.fsdecode(answer[1:]))
        return np.frombuffer(answer, np.dtype(record.dtype), offset=1).reshape(rows, *shape)


def _messages(spans: Sequence[Span], row: int) -> Iterator[tuple[int, Span]]:
    """Yield spans of at most one message: where they lie in a file, and which rows they are."""
    most, place = max(_MESSAGE // max(row, 1), 1), 0
    for start, stop in spans:
        for first in range(start, stop, most):
            last = min(first + most, stop)
            yield place, (first, last)
            place += last - first


def _read_rows(path: Path, record: ArrayRecord, place: int, rows: int) -> bytes:
    """Return the bytes of rows of a file. Raises `ConfigError` where it does not hold them."""
    with reading("the checkpoint"):
        values = np.load(path, mmap_mode="r", allow_pickle=False)
        shape = values.shape or (1,)
        if values.dtype != np.dtype(record.dtype) or shape[1:] != record.shape[1:]:
            raise ValueError(f"{path.name} is {values.dtype}{list(shape)}; {record.described()}")
        if shape[0] < place + rows:
            raise ValueError(f"{path.name} has {shape[0]} rows; expected {place + rows}")
        return np.ascontiguousarray(values.reshape(shape)[place : place + rows]).tobytes()
