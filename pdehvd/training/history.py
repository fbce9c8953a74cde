"""What happened in a run: a JSON object per row in metrics.jsonl, and TensorBoard events."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, SupportsFloat

import pandas as pd

from pdehvd.training.durable import naming, write_whole

if TYPE_CHECKING:
    import tensorflow as tf

FILE = "metrics.jsonl"
EVENTS = "tensorboard"
_NONFINITE = {"Infinity": math.inf, "-Infinity": -math.inf}
_LARGEST = 2**63


class History:
    """Appends rows of numbers to `metrics.jsonl` and to `tensorboard/` in a run directory.

    A process that is not `enabled` (every rank but 0) writes nothing. A row names `step` and any
    other numbers; NaN is stored as null and an infinity as a string, so every line is JSON.
    """

    def __init__(self, directory: Path | str, enabled: bool = True) -> None:
        self.path = Path(directory) / FILE
        self.events = Path(directory) / EVENTS
        self.enabled = enabled
        self._file: IO[str] | None = None
        self._writer: tf.summary.SummaryWriter | None = None

    def append(self, row: Mapping[str, float]) -> None:
        """Write one row; a reader sees it at once."""
        if not self.enabled:
            return
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _end_torn_line(self.path)
            self._file = self.path.open("a", encoding="utf-8", buffering=1)
        with naming(self.path):
            self._file.write(_encode(row) + "\n")
        self._event(row)

    def truncate(self, step: int) -> None:
        """Drop the rows after `step`, so that a run resumed from there has each step once."""
        if not self.enabled:
            return
        self.close()
        if not self.path.exists():
            return
        kept = [row for row in _rows(self.path) if 0 <= row.get("step", 0) <= step]
        write_whole(self.path, "".join(_encode(row) + "\n" for row in kept).encode("utf-8"))
        for old in self.events.glob("events.out.tfevents.*"):
            old.unlink()
        for row in kept:
            self._event(row)
        if self._writer is not None:
            self._writer.flush()

    def flush(self) -> None:
        """Return when the disk has every row: call it before a checkpoint is announced."""
        if self._file is not None:
            with naming(self.path):
                self._file.flush()
                os.fsync(self._file.fileno())
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Close the files; a later `append` opens them again."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __enter__(self) -> History:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _event(self, row: Mapping[str, float]) -> None:
        """Write a row as one TensorBoard summary: one operation a row, not one a number."""
        import tensorflow as tf

        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self.events))
        summary = tf.compat.v1.Summary()
        for tag, number in row.items():
            if tag not in ("step", "seconds"):
                summary.value.add(tag=tag, simple_value=float(number))
        with self._writer.as_default():
            tf.summary.experimental.write_raw_pb(
                summary.SerializeToString(), step=int(row.get("step", 0))
            )


def read(directory: Path | str) -> pd.DataFrame:
    """Return the metrics of a run, one row a logged step; numbers that a row lacks are NaN.

    A last line cut short by a killed process is left out. A run without metrics gives an empty
    frame that still has the column `step`.
    """
    path = Path(directory) / FILE
    rows = list(_rows(path)) if path.exists() else []
    frame = pd.DataFrame(rows)
    if "step" not in frame:
        frame["step"] = pd.Series(dtype="int64")
    return frame


def _encode(row: Mapping[str, float]) -> str:
    return json.dumps({name: _plain(number) for name, number in row.items()}, allow_nan=False)


def _plain(number: SupportsFloat) -> int | float | str | None:
    """Return a number as JSON can hold it: numpy and TensorFlow scalars become Python's."""
    value = number if isinstance(number, int) else float(number)
    if isinstance(value, int) or math.isfinite(value):
        return value
    return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _rows(path: Path) -> Iterator[dict[str, float]]:
    """Yield the rows of a file, numbers restored; lines that are not JSON objects are left out."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict):
                yield {_name(name): _number(value) for name, value in row.items()}


def _name(name: str) -> str:
    # JSON can write halves of characters, which TensorBoard cannot store.
    return name.encode("utf-8", "replace").decode("utf-8")


def _number(value: object) -> float:
    """Return a stored number; NaN for null and for what is none, or too large for a file."""
    if isinstance(value, str):
        return _NONFINITE.get(value, math.nan)
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < _LARGEST):
        return value
    return math.nan


def _end_torn_line(path: Path) -> None:
    """End a line that a killed process left open, so that the next row does not join it."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb+") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
