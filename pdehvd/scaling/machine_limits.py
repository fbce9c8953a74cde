"""Limits of an allreduce on a machine: copying, adding, the network card, memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.launch import mpirun
from pdehvd.timing import median_seconds

if TYPE_CHECKING:
    from pdehvd.comm.group import Group

_BATCHES = 5
# Larger than the caches, so that copying and adding are those of memory.
_STREAM = 64 * 2**20


def copy(group: Group) -> float:
    """Return the bytes per second that a process copies while all processes copy."""
    source, target = np.ones(_STREAM, np.uint8), np.empty(_STREAM, np.uint8)
    np.copyto(target, source)
    group.barrier()
    seconds = median_seconds(lambda: np.copyto(target, source), _BATCHES)
    return _mean(group, _STREAM / seconds, "copy")


def reduction(group: Group, dtype: str) -> float:
    """Return the seconds to add one byte, while all processes add."""
    count = _STREAM // 2 // np.dtype(dtype).itemsize
    total, part = np.ones(count, dtype), np.ones(count, dtype)
    group.barrier()
    seconds = median_seconds(lambda: np.add(total, part, out=total), _BATCHES)
    return _mean(group, seconds / total.nbytes, f"add.{dtype}")


def link(folder: Path = Path("/sys/class/net")) -> float | None:
    """Return the bits per second of the fastest network card that is up, as Linux knows it."""
    rates = [_rate(path) for path in folder.glob("*") if path.name != "lo"]
    return max((rate for rate in rates if rate), default=None)


def fits_memory(largest: int, processes: int, available: float) -> bool:
    """Return whether `processes` can hold the buffers of the largest message.

    TensorFlow and MPI hold about four copies of it, besides what a process always needs.
    """
    return processes * (4 * largest + mpirun.PROCESS_BYTES) <= available


def _mean(group: Group, number: float, name: str) -> float:
    return float(group.sum_numpy(np.array([number]), name)[0]) / group.size


def _rate(card: Path) -> float | None:
    try:
        if (card / "operstate").read_text().strip() != "up":
            return None
        megabits = int((card / "speed").read_text())
    except (OSError, ValueError):
        return None
    return megabits * 1e6 if megabits > 0 else None
