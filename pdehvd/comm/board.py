"""A short text of each rank, kept where the others of its machine read it without its help."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


class Board:
    """A file that its process overwrites with a short text; deleted once no process has it open."""

    def __init__(self, path: Path, file: int) -> None:
        self.path, self._file = path, file

    @classmethod
    def make(cls) -> Board | None:
        """Return a new board of this process; None where no file can be made."""
        with suppress(OSError):
            file, name = tempfile.mkstemp(prefix="pdehvd-rank-")
            return cls(Path(name), file)
        return None

    @classmethod
    def open(cls, path: Path) -> Board | None:
        """Return the board of another process; None where it cannot be read."""
        with suppress(OSError):
            return cls(path, os.open(path, os.O_RDONLY))
        return None

    def hide(self) -> None:
        """Take the file's name away: nothing is left of it when the processes have ended."""
        with suppress(OSError):
            self.path.unlink()

    def write(self, text: str) -> None:
        """Replace the text; a disk that is full keeps the one before."""
        data = text.encode()
        with suppress(OSError):
            os.pwrite(self._file, len(data).to_bytes(8, "little") + data, 0)

    def read(self) -> str:
        """Return the text; empty where there is none, perhaps half of two while one is written."""
        with suppress(OSError):
            size = int.from_bytes(os.pread(self._file, 8, 0), "little")
            return os.pread(self._file, size, 8).decode(errors="replace")
        return ""
