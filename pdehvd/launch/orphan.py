"""Exit when the launcher has died: no orphan process stays behind."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress

import psutil

LAUNCHER = "PDEHVD_LAUNCHER"
"""Environment variable: the process id of the `pdehvd train --np` that started mpirun."""
_SECONDS = 0.5


def watch_launcher() -> None:
    """Start a thread that ends this process when those that started it have died.

    It asks who the parents are, again and again, so it needs no help of the operating system and
    no process id is mistaken for that of another process.
    """
    thread = threading.Thread(target=_watch, args=(_parents(),), name="launcher", daemon=True)
    thread.start()


def _watch(parents: tuple[int, ...]) -> None:
    while parents == _parents() and _launcher_lives(parents):
        time.sleep(_SECONDS)
    with suppress(OSError):
        print("the launcher has died: this process exits", file=sys.stderr, flush=True)
    # Other threads may wait in a collective forever.
    os._exit(1)


def _parents() -> tuple[int, ...]:
    """Return the parent, and its parent where that is our own launcher's affair."""
    parent = os.getppid()
    if LAUNCHER not in os.environ:
        # A person's own mpirun may well outlive the shell that started it.
        return (parent,)
    try:
        return parent, psutil.Process(parent).ppid()
    except psutil.Error:
        return parent, 0


def _launcher_lives(parents: tuple[int, ...]) -> bool:
    """Return whether our own launcher was there when this process began to watch."""
    pid = os.environ.get(LAUNCHER, "")
    return not pid.isdigit() or int(pid) in parents or psutil.pid_exists(int(pid))
