"""Room for the messages between processes of one machine, in its shared memory."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

FOLDER = Path("/dev/shm")
# Open MPI makes a file of 4 MiB for each process; where it does not fit, it ends, or is killed.
_EACH, _BESIDES = 4 * 2**20, 2**20
_VARIABLE = "OMPI_MCA_btl_vader_backing_directory"


def needed(processes: int) -> int:
    """Return the bytes that so many processes take of the shared memory of their machine."""
    return processes * _EACH + _BESIDES


def free(folder: Path = FOLDER) -> int | None:
    """Return the bytes that are free there; None where there is no such folder."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def elsewhere(processes: int, folder: Path = FOLDER) -> dict[str, str]:
    """Return the variable that sends messages through files; empty where shared memory holds them.

    A user's own choice of a folder stays.
    """
    room = free(folder)
    if processes < 2 or room is None or room >= needed(processes) or _VARIABLE in os.environ:
        return {}
    return {_VARIABLE: tempfile.gettempdir()}


def warning(processes: int, folder: Path = FOLDER) -> str:
    """Return what to say where messages go through files; empty where they do not."""
    found = elsewhere(processes, folder)
    if not found:
        return ""
    have, need = (free(folder) or 0) / 2**20, needed(processes) / 2**20
    return (
        f"warning: {folder} has {have:.0f} MiB free, and {processes} processes need {need:.0f}: "
        f"messages go through files in {found[_VARIABLE]}, which may be slower; start a container "
        f"with --shm-size={2 * need:.0f}m"
    )
