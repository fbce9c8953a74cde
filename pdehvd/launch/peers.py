"""Whether the other processes that a launcher has announced are there, before MPI waits for them.

Its variables may be left over in a shell, or a person may have typed a command in one of several
tasks. MPI would end with a page of text then, or wait without end.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress

import psutil

from pdehvd.errors import EnvironmentFault
from pdehvd.launch import mpi_library, ranks

# Launchers start the processes of one machine within a second or two.
_SECONDS = 8.0
_PAUSE = 0.5
_CONNECT = 5.0
# Where one launcher runs several times at once, these say to which start a process belongs.
_JOBS = ("SLURM_JOB_ID", "SLURM_STEP_ID", "PMIX_NAMESPACE", "PMI_JOBID")
# Of these something answers while they run; of others one cannot always know.
_ANSWERING = ("mpirun", "horovodrun")
# Beginnings of the variables by which a process reaches another launcher, on other machines too.
_CONTACTS = ("PMI_FD", "PMI_PORT", "PMI_CONTROL", "PMIX_SERVER_URI", "PALS_", "FLUX_")
_ADDRESS = re.compile(r"tcp4?://([^:;/]+):(\d+)")


def await_peers(seconds: float = _SECONDS) -> None:
    """Return when another process of the same launcher is here, or could be elsewhere.

    Raises `EnvironmentFault` where this process is the only one of those that were announced, or
    MPI cannot reach the others.
    """
    found = ranks.launcher()
    if found is None or ranks.OWN in os.environ or ranks.world_size() == 1:
        return
    if found.rank not in os.environ or not _reached(found):
        raise alone(found)
    if found.name in _ANSWERING:
        return
    here = ranks.known_here()
    elsewhere = here == 1 or (here is None and any(map(_is_contact, os.environ)))
    if not elsewhere:
        _wait(found, seconds)
    # A launcher that this library does not understand and one that is gone look alike to it.
    if ranks.starts_mpi() and not _servers() and mpi_library.needs_pmix():
        raise unreachable(found)


def alone(found: ranks.Launcher) -> EnvironmentFault:
    """Return the error that says what was announced, and what to do."""
    return _announced(found, "this one is alone", "with your launcher, such as srun")


def unreachable(found: ranks.Launcher) -> EnvironmentFault:
    """Return the error for processes that MPI cannot find."""
    fault = "Open MPI reaches others through PMIx, and there is none"
    return _announced(found, fault, "with PMIx, such as srun --mpi=pmix")


def _announced(found: ranks.Launcher, fault: str, launcher: str) -> EnvironmentFault:
    size = ranks.world_size()
    return EnvironmentFault(
        f"{found.size}={size} says that {found.name} has started {size} processes, but {fault}: "
        f"start all of them {launcher} -n {size} pdehvd ..., or unset {ranks.announcing()} and "
        "start them from here with --np"
    )


def _servers() -> list[str]:
    """Return the addresses of PMIx servers that this process was given."""
    return [v for n, v in os.environ.items() if n.startswith("PMIX_SERVER_URI")]


def _is_contact(name: str) -> bool:
    return name.startswith(_CONTACTS)


def _reached(found: ranks.Launcher) -> bool:
    """Return whether the launcher itself can be there; True where that cannot be seen."""
    servers = _servers()
    if found.name == "mpirun" or servers:
        return bool(servers) and all(map(_answers, servers))
    if found.name == "horovodrun":
        place = os.environ.get("HOROVOD_GLOO_RENDEZVOUS_ADDR", "")
        port = os.environ.get("HOROVOD_GLOO_RENDEZVOUS_PORT", "")
        return bool(place) and _answers(f"tcp://{place}:{port}")
    return True


def _answers(address: str) -> bool:
    """Return whether a process listens at an address; True for an address that is not TCP."""
    match = _ADDRESS.search(address)
    if match is None:
        return True
    with suppress(OSError, OverflowError):
        socket.create_connection((match[1], int(match[2])), timeout=_CONNECT).close()
        return True
    return False


def _wait(found: ranks.Launcher, seconds: float) -> None:
    """Wait for a process of another rank on this machine. Raises `EnvironmentFault` for none."""
    end = time.monotonic() + seconds
    while True:
        others = list(_others(found))
        if others:
            return
        if time.monotonic() >= end:
            raise alone(found)
        time.sleep(_PAUSE)


def _others(found: ranks.Launcher) -> Iterator[int]:
    """Yield the processes here that have another rank of the same start.

    In a container that shows this rank's processes only, its first one stands for all others.
    """
    for process in psutil.process_iter():
        variables: Mapping[str, str] = {}
        with suppress(psutil.Error, OSError):
            variables = process.environ()
        same = all(variables.get(name) == os.environ.get(name) for name in (found.size, *_JOBS))
        if same and (process.pid == 1 or variables.get(found.rank) != os.environ[found.rank]):
            yield process.pid
