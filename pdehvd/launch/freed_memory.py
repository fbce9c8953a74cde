"""How the C library treats memory that is freed."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# glibc's numbers of the settings, from malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


def keep_freed() -> None:
    """Let the process keep the memory of large arrays that are freed, for the next ones.

    Otherwise it goes back to the kernel, which hands it out again page by page, filled with zeros:
    for matrices that come and go every step that takes as long as a collective. Does nothing
    without glibc.
    """
    with suppress(OSError, AttributeError):
        set_option = ctypes.CDLL(None).mallopt
        set_option(_MMAP_MAX, 0)
        set_option(_TRIM_THRESHOLD, -1)
        set_option(_TOP_PAD, 2**26)
