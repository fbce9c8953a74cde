"""What a launcher says to the processes that it starts: how many there are, and which one is this.

mpirun, horovodrun, launchers that speak PMI, and srun say it in environment variables.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil

OWN = "PDEHVD_RESTARTS"
"""Environment variable of the processes that pdehvd itself has started, and of no other."""


@dataclass(frozen=True)
class Launcher:
    """The names of the variables in which a kind of launcher says what it has started."""

    name: str
    size: str
    rank: str
    local_rank: str
    local_size: str

    @property
    def variables(self) -> tuple[str, ...]:
        """All of them."""
        return (self.size, self.rank, self.local_rank, self.local_size)


def _mpi_like(name: str, prefix: str) -> Launcher:
    ends = ("SIZE", "RANK", "LOCAL_RANK", "LOCAL_SIZE")
    return Launcher(name, *(f"{prefix}_{end}" for end in ends))


# One inside another comes first: mpirun and horovodrun may run in a step of SLURM.
LAUNCHERS = (
    _mpi_like("mpirun", "OMPI_COMM_WORLD"),
    _mpi_like("horovodrun", "HOROVOD"),
    Launcher("a launcher with PMI", "PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
    Launcher("srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID", ""),
)
# How a process reaches its launcher; those of processes that it starts reach their own.
_CONTACT = re.compile(
    r"PMI_|PMIX_(?!MCA_|INSTALL)|OMPI_(COMM_WORLD|UNIVERSE|APP_CTX|FIRST_RANKS|NUM_APP|FILE_LOC)|"
    r"OMPI_MCA_(ess|orte_(ess|hnp|local_daemon|launch|app_num|num_nodes|bound|jobfam|top_session)|"
    r"pmix$|initial_wdir|orte_precondition)|"
    r"HOROVOD_(RANK|SIZE|LOCAL|CROSS|HOSTNAME|GLOO_RENDEZVOUS)|"
    r"MPI_LOCAL(RANKID|NRANKS)|SLURM_(STEP|PROCID|LOCALID|TASK_PID)"
)


def _number(name: str) -> int | None:
    value = os.environ.get(name, "")
    return int(value) if value.isascii() and value.isdigit() else None


def launcher() -> Launcher | None:
    """Return the launcher of this process; None where it stands alone.

    A launcher of one process is none, unless pdehvd is: a shell may be a step of one task
    (`srun --pty bash`), and from there processes are started like from any other shell.
    """
    if OWN in os.environ:
        return next((one for one in LAUNCHERS if _number(one.size) is not None), None)
    return next((one for one in LAUNCHERS if (_number(one.size) or 1) > 1), None)


def was_launched() -> bool:
    """Return whether mpirun, horovodrun or srun started this process as one of its processes."""
    return launcher() is not None


def announcing() -> str:
    """Return the names of the variables that announce several processes."""
    return " ".join(one.size for one in LAUNCHERS if (_number(one.size) or 1) > 1)


def world_size() -> int:
    """Return the number of processes that the launcher started; 1 without one."""
    found = launcher()
    return (_number(found.size) or 1) if found else 1


def world_rank() -> int:
    """Return this process's rank as the launcher says it; 0 without one."""
    found = launcher()
    return (_number(found.rank) or 0) if found else 0


def local_rank() -> int:
    """Return this process's number among those on this machine."""
    found = launcher()
    return (_number(found.local_rank) or 0) if found else 0


def local_size() -> int:
    """Return how many of the launcher's processes are on this machine; all, unless it says."""
    return known_here() or world_size()


def known_here() -> int | None:
    """Return how many of the launcher's processes are on this machine; None where nothing says."""
    found = launcher()
    if found is None:
        return 1
    return _number(found.local_size) or _tasks_here()


def _tasks_here() -> int | None:
    """Return how many tasks of SLURM's step are on this node: `4(x2),3` lists those of each."""
    if _number("SLURM_STEP_NUM_NODES") == 1:
        return world_size()
    listed: list[int] = []
    for part in os.environ.get("SLURM_STEP_TASKS_PER_NODE", "").split(","):
        match = re.fullmatch(r"(\d+)(?:\(x(\d{1,6})\))?", part)
        listed += [int(match[1])] * int(match[2] or 1) if match else []
    node = _number("SLURM_NODEID") or 0
    return listed[node] if node < len(listed) else None


def starts_mpi() -> bool:
    """Return whether this process belongs to an MPI job, and not to one of Gloo alone."""
    return was_launched() and os.environ.get("HOROVOD_CONTROLLER", "mpi").lower() == "mpi"


def unplaced(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what a launcher said to this process.

    For processes that another launcher is to start from here.
    """
    kept = {name: value for name, value in environment.items() if not _CONTACT.match(name)}
    if kept.get("HOROVOD_CONTROLLER", "").lower() == "gloo":
        del kept["HOROVOD_CONTROLLER"]
    return kept


def starter() -> int:
    """Return the process id of the launcher: the nearest ancestor outside its processes."""
    found = launcher()
    name = found.rank if found else ""
    process = psutil.Process()
    with suppress(psutil.Error):
        while name:
            parent = process.parent()
            if parent is None:
                break
            process = parent
            if name not in process.environ():
                break
    result: int = process.pid
    return result
