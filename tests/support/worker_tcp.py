"""Talks over TCP, and saves how many connections the process has."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from pdehvd.launch import process_setup
from pdehvd.launch.processes_spec import ProcessesSpec

process_setup.configure_threads(ProcessesSpec(threads=1))

from mpi4py import MPI  # noqa: E402

ESTABLISHED, STATE, INODE = "01", 3, 9


def connections() -> int:
    """Return the number of this process's connections, as Linux lists them."""
    own = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            own.add(os.readlink(descriptor).removeprefix("socket:[").removesuffix("]"))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[STATE] == ESTABLISHED and row[INODE] in own for row in rows)


world = MPI.COMM_WORLD
sent = np.full(1 << 20, world.rank + 1.0)
total = np.empty_like(sent)
for _ in range(2):
    world.Allreduce(sent, total)
into = Path(sys.argv[2], f"rank{world.rank}.npz")
np.savez(into, connections=connections(), total=total[:1])
world.Barrier()
