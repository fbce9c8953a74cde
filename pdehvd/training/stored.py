"""Reading a checkpoint, array by array and on any number of ranks; see `checkpoint_index`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pdehvd.comm.agreement import from_rank_0
from pdehvd.comm.group import Group, Solo
from pdehvd.errors import ConfigError
from pdehvd.numerics.divided import Span, overlaps, span_length
from pdehvd.problems.archives import reading
from pdehvd.training.checkpoint_index import ArrayRecord, Counters, Index, TrainerRecord, files_of

# Bytes that travel between ranks at once.
_MESSAGE = 1 << 26


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
        found = np.empty((span_length(spans), *shape[1:]), np.dtype(record.dtype))
        files = files_of(self._trainer, self._prefix + name, record)
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

        def read() -> bytes:
            assert self._folder is not None
            return _read_rows(self._folder / file, record, place, rows)

        data = from_rank_0(self._group, read)
        return np.frombuffer(data, np.dtype(record.dtype)).reshape(rows, *shape)


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
