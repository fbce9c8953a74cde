"""Starts two ranks in a mask, as a launch does; each writes its place to `place_RANK.json`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from pdehvd.launch import cores, mpirun, process_setup, ranks, threads
from pdehvd.launch.processes_spec import ProcessesSpec


def start(mask: str) -> int:
    """Start the ranks from a process that keeps to these cores; return their exit code."""
    os.sched_setaffinity(0, {int(core) for core in mask.split(",")})
    whole = mpirun.mpirun_command([], ProcessesSpec(), 2)
    program = [sys.executable, "-m", "tests.support.worker_place"]
    command = [*whole[: whole.index(sys.executable)], *program]
    environment = mpirun.launch_environment(os.environ, threads.shared_cores(ProcessesSpec(), 2))
    return subprocess.run(command, env=environment, check=False).returncode


def say() -> None:
    """Write the cores of every thread of this rank; lines of two ranks may run into each other."""
    count = process_setup.configure_threads(ProcessesSpec())
    masks = {tuple(sorted(cores.mask(int(thread)))) for thread in os.listdir("/proc/self/task")}
    place = {"rank": ranks.world_rank(), "threads": count, "masks": sorted(masks)}
    text = json.dumps({**place, "together": threads.node_cores()})
    Path(f"place_{place['rank']}.json").write_text(text)


if __name__ == "__main__":
    sys.exit(start(sys.argv[1]) if len(sys.argv) > 1 else say())
