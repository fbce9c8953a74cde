"""`pdehvd net`: measures the allreduce on the processes at hand, and writes what was found."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pdehvd.assembly import run_directory as folder
from pdehvd.errors import ConfigError, EnvironmentFault, counted
from pdehvd.launch import job, ranks, rendezvous
from pdehvd.launch.commands import MeasureCommand
from pdehvd.launch.process_setup import configure_threads
from pdehvd.launch.processes_spec import ProcessesSpec
from pdehvd.scaling import allreduce_benchmark, machine_limits
from pdehvd.scaling.network_measurement import FILE, NetworkMeasurement, merge
from pdehvd.spec.plain import Facts
from pdehvd.training import durable

PICTURE = "net.png"
ONE_THREAD = ProcessesSpec(threads=1)


def check_network_counts(counts: Sequence[int], largest: int, available: float) -> None:
    """Raise `ConfigError` for process counts that cannot be measured here."""
    if ranks.was_launched():
        raise ConfigError(
            "the processes are those of the launcher", (), "no --np inside mpirun or srun"
        )
    most = max(counts)
    if min(counts) < 2:
        raise ConfigError("--np: one process alone sends no messages", (), "2 or more")
    if not machine_limits.fits_memory(largest, most, available):
        raise ConfigError(
            f"--np {most} with messages of {largest / 2**20:.0f} MiB need more than the "
            f"{available / 2**30:.1f} GiB of memory that are free",
            (),
            "fewer processes, or a smaller --largest",
        )


def measure_network(counts: Sequence[int], largest: int) -> Facts:
    """Start processes for every count and both ways to join, and return what they measured.

    Raises `EnvironmentFault` where MPI or Horovod fails; Gloo is left out where it is missing.
    """
    parts: list[Facts] = []
    with tempfile.TemporaryDirectory() as place:
        for processes in counts:
            into = Path(place, f"mpi-{processes}.json")
            words = _words(largest, into)
            code = job.launch(MeasureCommand(tuple(words)), ONE_THREAD, processes)
            if code:
                raise EnvironmentFault(
                    f"{counted(processes, 'process')} over MPI ended with {code}"
                )
            parts.append(durable.read_json(into))
            into = Path(place, f"gloo-{processes}.json")
            command = [sys.executable, "-m", "pdehvd", *_words(largest, into)]
            if rendezvous.launch_gloo(command, processes):
                print("Gloo could not be measured", file=sys.stderr)
            else:
                parts.append(durable.read_json(into))
    return merge(parts)


def _words(largest: int, into: Path) -> list[str]:
    return ["net", "--largest", str(largest), "--into", str(into)]


def measure_network_here(largest: int) -> Facts | None:
    """Measure as one of the processes that a launcher started; only rank 0 has the result."""
    configure_threads(ONE_THREAD)
    rank = ranks.world_rank()
    found = allreduce_benchmark.time_allreduces(largest, _say if rank == 0 else lambda text: None)
    return found if rank == 0 else None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def write_measurement(found: Facts, output: Path | None) -> Path:
    """Write `net.json` and its picture into a folder; a new one below runs/net by default.

    Raises `ConfigError` where that cannot be written, or holds a measurement already.
    """
    from pdehvd.results.picture_file import png
    from pdehvd.scaling.plots_network import allreduce_times

    place = folder_for(output)
    durable.write_json(place / FILE, found)
    (place / PICTURE).write_bytes(png(allreduce_times(NetworkMeasurement.model_validate(found))))
    return place


def folder_for(output: Path | None) -> Path:
    """Return the folder to write to, made if needed."""
    place = output or Path("runs", "net", time.strftime("%Y%m%d-%H%M%S"))
    if (place / FILE).exists():
        raise ConfigError(f"{place} holds a measurement already", (), "another --output")
    folder.make(place)
    return place
