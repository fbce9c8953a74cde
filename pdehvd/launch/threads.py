"""How processes share the cores of a machine: threads of each, and the variables that say so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pdehvd.errors import ConfigError
from pdehvd.launch import cores, ranks

if TYPE_CHECKING:
    from pdehvd.launch.processes_spec import ProcessesSpec

PIN = "PDEHVD_PIN"
"""Environment variable: to how many cores of its share each process is to keep."""


def node_cores() -> int:
    """Return how many cores the processes of this job may use on this machine, all together."""
    return cores.count(ranks.starter() if ranks.was_launched() else 0)


def threads_per_process(processes: ProcessesSpec) -> int:
    """Return the threads of each process: as configured, or its share of the cores."""
    return processes.threads or max(1, min(cores.count(), node_cores() // ranks.local_size()))


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


def check_cores(processes: ProcessesSpec, np: int) -> None:
    """Raise `ConfigError` where `np` processes need more cores than there are.

    They do where each is to have its own, or where the config forbids to share them.
    """
    have, threads = node_cores(), processes.threads or 1
    if np * threads <= have:
        return
    one = f"{np} process{'es' if np > 1 else ''}"
    each = f" of {threads} threads" if threads > 1 else ""
    message = f"{one}{each} need {np * threads} cores, and {have} may be used here"
    fitting = f"processes times threads of at most {have}"
    if processes.bind and processes.elastic is None:
        raise ConfigError(f"{message}", ("processes", "bind"), f"{fitting}, or bind: null")
    if not processes.oversubscribe:
        raise ConfigError(message, ("processes", "oversubscribe"), f"{fitting}, or true")


def shared_cores(processes: ProcessesSpec, most: int) -> dict[str, str]:
    """Return the variables by which `most` processes on a machine divide its cores.

    The machines of a job have as many cores as this one.
    """
    have = node_cores()
    threads = processes.threads or max(1, have // most)
    bind = processes.bind if processes.bind is not None else most * threads <= have
    return {**thread_environment(threads), **({PIN: str(threads)} if bind else {})}
