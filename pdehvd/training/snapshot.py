"""Writing a checkpoint: what it keeps of each trainer, file by file; see `checkpoint_index`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pdehvd.numerics.divided import Arrays, Divided
from pdehvd.training.checkpoint_index import (
    FORMAT,
    INDEX,
    SUMS,
    ArrayRecord,
    Counters,
    Index,
    TrainerRecord,
    files_of,
)
from pdehvd.training.durable import write_through, writing_through


@dataclass(frozen=True)
class Snapshot:
    """What a checkpoint keeps of one trainer; every rank has its part of divided arrays.

    All ranks name the arrays in the same order: that of the collectives which write them.
    """

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
    records = [snapshot.record() for snapshot in snapshots]
    for number, (snapshot, record) in enumerate(zip(snapshots, records, strict=True)):
        for name, array in snapshot.arrays.items():
            parts = array.parts() if isinstance(array, Divided) else [array]
            files = files_of(number, name, record.arrays[name])
            for file, rows in zip(files, parts, strict=True):
                if folder is not None:
                    before(folder / file)
                    sums[file] = _write_rows(folder / file, rows)
    if folder is None:
        return
    index = Index(format=FORMAT, trainers=records)
    # Infinities stay what they are: JSON of Python's.
    text = json.dumps(index.model_dump(mode="python"), indent=1).encode()
    sums[INDEX] = hashlib.sha256(text).hexdigest()
    lines = "".join(f"{sums[name]}  {name}\n" for name in sums)
    for path, content in ((folder / INDEX, text), (folder / SUMS, lines.encode())):
        before(path)
        write_through(path, content)


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
