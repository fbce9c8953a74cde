"""Whether processes of one machine may read each other's memory, so that a message is one copy."""

from __future__ import annotations

import ctypes
import os
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path

_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")


class _Iovec(ctypes.Structure):
    """`struct iovec`."""

    _fields_ = [("start", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def mechanism() -> str:
    """Return Open MPI's name of how messages go from one process of a machine to another."""
    return "cma" if allowed() else "none"


@cache
def allowed() -> bool:
    """Return whether the kernel lets a process read another one of the same user.

    Many containers forbid the call. Where Yama restricts it, Open MPI would open the memory of
    each process to all others of the user: that counts as forbidden.
    """
    with suppress(OSError):
        if _YAMA.read_text().strip() != "0":
            return False
    with suppress(OSError, ValueError, AttributeError):
        return _reads_another()
    return False


def _reads_another() -> bool:
    """Start a process and read the first bytes of its program."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        # Its program is in its memory only once it answers.
        assert other.stdin is not None and other.stdout is not None
        other.stdin.write(b"x")
        other.stdin.flush()
        other.stdout.read(1)
        start = int(Path(f"/proc/{other.pid}/maps").read_text().split("-", 1)[0], 16)
        return _read(other.pid, start, 4) == b"\x7fELF"


def _read(process: int, start: int, length: int) -> bytes:
    """Return bytes of another process; raises `OSError` where the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(length)
    here = _Iovec(ctypes.cast(buffer, ctypes.c_void_p), length)
    there = _Iovec(start, length)
    count = libc.process_vm_readv(
        process, ctypes.byref(here), ctypes.c_ulong(1), ctypes.byref(there), ctypes.c_ulong(1), 0
    )
    if count != length:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return buffer.raw
