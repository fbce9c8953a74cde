"""Sets up this process before TensorFlow computes: threads, cores, GPU and connections."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from pdehvd import caches
from pdehvd.launch import cores, ranks, shared_memory
from pdehvd.launch.commands import Command
from pdehvd.launch.freed_memory import keep_freed
from pdehvd.launch.orphan import watch_launcher
from pdehvd.launch.tensorflow_import import silent_stderr
from pdehvd.launch.threads import PIN, thread_environment, threads_per_process
from pdehvd.launch.typed_command import handed_on

if TYPE_CHECKING:
    from pdehvd.launch.processes_spec import ProcessesSpec


def settle_threads(command: Command) -> None:
    """Restart `pdehvd` with a command unless the libraries were loaded with one thread each.

    BLAS and OpenMP read their numbers of threads once, when they are loaded.
    """
    wanted = thread_environment(1)
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        sys.stdout.flush()
        words = [sys.executable, "-m", "pdehvd", *command.argv()]
        os.execve(sys.executable, words, {**os.environ, **wanted, **handed_on()})


def configure_threads(processes: ProcessesSpec, images: bool = False, keep: bool = False) -> int:
    """Set this process's threads, cores, GPU and connections; return the number of threads.

    `images` says that it computes on images, `keep` that it keeps the memory that it frees.
    Must come before TensorFlow computes anything and before this process joins the others.
    """
    threads = threads_per_process(processes)
    os.environ.update(thread_environment(threads, images))
    _keep_to_share()
    if keep:
        keep_freed()
    if ranks.was_launched():
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
        share = cores.share_of_cores(ranks.local_rank(), ranks.local_size(), int(most))
        if share:
            cores.pin(share)


def _choose_gpu(tf: ModuleType) -> None:
    """Leave this process one GPU of its own, by its rank on this machine."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        tf.config.set_visible_devices(gpus[ranks.local_rank() % len(gpus)], "GPU")
