"""What is left of a job whose launcher has ended: nothing may run on."""

from __future__ import annotations

import os
from contextlib import suppress

import psutil

_SECONDS = 5.0


def end_session(session: int) -> None:
    """Kill the processes of a session, ranks that were stopped included, and wait for their end.

    mpirun gives each rank a process group of its own, but leaves it in mpirun's session, whose
    number is the process id of the one that began it.
    """
    left = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and os.getsid(process.pid) == session:
                process.kill()
                left.append(process)
    psutil.wait_procs(left, timeout=_SECONDS)
