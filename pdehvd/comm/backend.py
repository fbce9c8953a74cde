"""Join the processes of a job: by MPI's own calls, by Horovod, or one process alone."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from pdehvd.errors import ConfigError, EnvironmentFault, counted
from pdehvd.launch import peers, ranks

if TYPE_CHECKING:
    from pdehvd.comm.grid import Grid
    from pdehvd.comm.group import Group
    from pdehvd.comm.one_shard import OneShard
    from pdehvd.launch.processes_spec import ProcessesSpec


def group(processes: ProcessesSpec, grid: Grid | None = None) -> Group:
    """Return the group of this job: `Solo` with one process, else that of `collectives`.

    `grid` says how the processes divide the work; without one, they hold different samples.
    Raises `EnvironmentFault` where a launcher announced several processes and they are not there,
    or neither MPI alone nor Horovod can be used, or not the one that was asked for, and
    `ConfigError` where a grid has another number of processes.
    """
    if grid is not None and grid.size != ranks.world_size():
        raise ConfigError(
            f"{counted(ranks.world_size(), 'process')} for a grid of {grid}",
            ("processes", "grid"),
            f"{grid.size} processes",
        )
    if ranks.world_size() == 1:
        from pdehvd.comm.group import Solo

        return Solo()
    peers.await_peers()
    tell_horovod(processes)
    if processes.wants_mpi and (by_mpi := _mpi(grid)):
        return _whole(by_mpi)
    if processes.collectives == "mpi":
        raise EnvironmentFault(
            "processes.collectives: not every process supports mpi, which needs MPI, mpi4py, "
            "mpicxx and no GPU; see pdehvd doctor, or use `auto`, which falls back to Horovod"
            + (f". {slower}" if (slower := slower_because()) else "")
        )
    if processes.wants_mpi and ranks.world_rank() == 0 and (slower := slower_because()):
        print(f"warning: {slower}", file=sys.stderr, flush=True)
    # Horovod over Gloo replaces these handlers; a run must keep its own.
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        from pdehvd.comm.horovod import HorovodGroup
    except ImportError as error:
        raise EnvironmentFault(
            f"{counted(ranks.world_size(), 'process')} started, but Horovod fails here: {error}. "
            "Install it with python -m scripts.setup.horovod --install, or start one process"
        ) from error
    horovod = HorovodGroup(grid)
    for number, handler in kept.items():
        signal.signal(number, handler)
    return _whole(horovod)


def _whole(found: Group) -> Group:
    """Return the group if it holds all that the launcher has announced; else raise."""
    launcher = ranks.launcher()
    if launcher is not None and found.size != ranks.world_size():
        found.close()
        raise peers.alone(launcher)
    return found


def slower_because() -> str:
    """Return why MPI cannot add inside compiled programs with this TensorFlow; else nothing."""
    from pdehvd.comm import xla_registry

    return xla_registry.complaint() if ranks.starts_mpi() else ""


def _mpi(grid: Grid | None) -> Group | None:
    """Return the group of MPI alone; None, on all ranks alike, where one cannot be in it."""
    if not ranks.starts_mpi():
        return None
    try:
        from pdehvd.comm import mpi
    except (ImportError, RuntimeError):
        return None
    from pdehvd.comm.xla_calls import calls

    return mpi.join(calls(), grid)


def reduction_backend(processes: ProcessesSpec) -> str:
    """Return what will add on this machine when mpirun starts several processes: see `Group`."""
    from pdehvd.comm.xla_calls import calls

    return "mpi" if processes.wants_mpi and calls() else "horovod"


def one_shard(size: int, processes: ProcessesSpec) -> OneShard:
    """Return one process that does the work of a rank of `size`, as `group` would have it do."""
    from pdehvd.comm.one_shard import OneCompiledShard, OneShard
    from pdehvd.comm.xla_calls import calls

    known = calls()
    if known is None or reduction_backend(processes) != "mpi":
        return OneShard(size)
    return OneCompiledShard(size, known)


def tell_horovod(processes: ProcessesSpec) -> None:
    """Set Horovod's cycle time and fusion threshold, where the user's environment does not."""
    os.environ.setdefault("HOROVOD_CYCLE_TIME", str(processes.cycle_time))
    if processes.fusion is not None:
        os.environ.setdefault("HOROVOD_FUSION_THRESHOLD", str(round(processes.fusion * 2**20)))


def abort(code: int) -> None:
    """End every process of the job at once; ranks that wait in a collective would wait forever."""
    sys.stdout.flush()
    sys.stderr.flush()
    if ranks.starts_mpi():
        with suppress(ImportError, RuntimeError):
            from pdehvd.comm.mpi import abort as abort_all

            abort_all(code)
    os._exit(code)
