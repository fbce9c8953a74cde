"""What is printed and which paths are understood, whatever the locale says."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress


def settle_paths() -> None:
    """Restart this command in Python's UTF-8 mode where file names are taken for ASCII or such.

    Paths would otherwise mean one thing in this process and another in files and in ranks. What is
    printed keeps the encoding of the terminal.
    """
    if sys.getfilesystemencoding() == "utf-8" or os.environ.get("PYTHONUTF8") == "1":
        return
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    settings = {"PYTHONIOENCODING": f"{encoding}:replace", **os.environ, "PYTHONUTF8": "1"}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], settings)


def open_streams() -> None:
    """Let standard streams that were closed lead nowhere; another file would take their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        with suppress(OSError):
            os.fstat(number)
            continue
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)
        stream = os.fdopen(number, "w" if number else "r", closefd=False)
        setattr(sys, name, stream)


def settle_output() -> None:
    """Print a question mark for a letter that the terminal's encoding lacks, and go on."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
