"""The threads, cores and GPU of one process."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from pdehvd import caches
from pdehvd.comm import cores, ranks, shared_memory
from pdehvd.comm.orphan import watch_launcher
from pdehvd.comm.silence import silent_stderr
from pdehvd.errors import ConfigError

if TYPE_CHECKING:
    from pdehvd.comm.spec import ProcessesSpec

PIN = "PDEHVD_PIN"
"""Environment variable: to how many cores of its share each process is to keep."""


def node_cores() -> int:
    """Return how many cores the processes of this job may use on this machine, all together."""
    return cores.count(ranks.starter() if ranks.joined() else 0)


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
    """Set this process's threads, cores, GPU and connections; return the number of threads.

    `images` says that it computes on images. Must come before TensorFlow computes anything and
    before `join`.
    """
    threads = threads_per_process(processes)
    os.environ.update(thread_environment(threads, images))
    _keep_to_share()
    if ranks.joined():
        # A launcher's pseudo-terminal says nothing about where its output goes.
        os.environ.setdefault("PDEHVD_TERMINAL", "0")
        # A sum over TCP sends and receives at once only if the receipt of one message need not
        # queue behind the other message, so each pair of ranks has two connections.
        os.environ.setdefault("OMPI_MCA_btl_tcp_links", "2")
        if ranks.local_rank() == 0 and (text := shared_memory.warning(ranks.local_size())):
            print(text, file=sys.stderr, flush=True)
        os.environ |= caches.missing_home() | shared_memory.elsewhere(ranks.local_size())
        watch_launcher()
    with silent_stderr():
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1 if threads == 1 else 2)
        _choose_gpu(tf)
        tf.config.list_logical_devices()
    return threads


def _keep_to_share() -> None:
    """Keep to this process's share of the cores, where its launcher asks for that.

    mpirun's own binding counts all cores of a machine and leaves the mask that it was started in.
    """
    most = os.environ.pop(PIN, "")
    if most.isdigit():
        share = cores.share(ranks.local_rank(), ranks.local_size(), int(most))
        if share:
            cores.pin(share)


def _choose_gpu(tf: Any) -> None:
    """Leave this process one GPU of its own, by its rank on this machine."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        tf.config.set_visible_devices(gpus[ranks.local_rank() % len(gpus)], "GPU")


def check_cores(processes: ProcessesSpec, np: int) -> None:
    """Raise `ConfigError` where `np` processes need more cores than there are.

    They do where each is to have its own, or where the config forbids to share them.
    """
    have, threads = node_cores(), processes.threads or 1
    if np * threads <= have:
        return
    one = f"{np} process{'es' if np > 1 else ''}"
    each = f" of {threads} threads" if threads > 1 else ""
    told = f"{one}{each} need {np * threads} cores, and {have} may be used here"
    fitting = f"at most {have} processes x threads"
    if processes.bind and processes.elastic is None:
        raise ConfigError(f"{told}", ("processes", "bind"), f"{fitting}, or bind: null")
    if not processes.oversubscribe:
        raise ConfigError(told, ("processes", "oversubscribe"), f"{fitting}, or true")
