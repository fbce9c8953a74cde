"""`pdehvd net`: the allreduce on the processes at hand, measured, fitted and drawn."""

from __future__ import annotations

import errno
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pdehvd.comm import launch, network, ranks, rendezvous
from pdehvd.comm.spec import ProcessesSpec
from pdehvd.comm.threads import configure_threads, node_cores
from pdehvd.errors import ConfigError, EnvironmentFault, counted
from pdehvd.experiment import directory as folder
from pdehvd.experiment.network_model import ALGORITHMS, Link, Sample, fit

FILE, PICTURE = "net.json", "net.png"
ONE_THREAD = ProcessesSpec(threads=1)


class Measured(BaseModel):
    """The times of one size of allreduce, one for each batch of repetitions."""

    model_config = ConfigDict(frozen=True)

    library: str
    dtype: str
    processes: int = Field(ge=1)
    hosts: int = Field(ge=1)
    bytes: int = Field(ge=1)
    seconds: tuple[float, ...] = Field(min_length=1)


class Network(BaseModel):
    """What `net.json` holds; `reduction` in s per byte by dtype, `copy` in bytes per s."""

    model_config = ConfigDict(frozen=True)

    samples: tuple[Measured, ...] = Field(min_length=1)
    reduction: dict[str, float]
    copy_bytes_per_second: float = Field(gt=0)
    link_bits_per_second: float | None = None
    cores: int | None = Field(None, ge=1)

    def of(self, library: str, dtype: str) -> list[Measured]:
        """Return the samples of a library and a dtype."""
        return [s for s in self.samples if (s.library, s.dtype) == (library, dtype)]

    def links(
        self,
        library: str = "horovod",
        dtype: str = "float32",
        near: float | None = None,
        drawn: Callable[[Sequence[float]], float] = statistics.median,
        crowd: int | None = None,
    ) -> tuple[Link, ...]:
        """Return the fit of every algorithm; `drawn` makes one time of those of all batches.

        Samples of `crowd` processes are taken if there are any, otherwise those of processes that
        did not share cores if there are any. Raises `ConfigError` where there are too few.
        """
        found = self.of(library, dtype)
        alone = [s for s in found if self.cores is None or s.processes <= self.cores * s.hosts]
        found = [s for s in found if s.processes == crowd] or alone or found
        samples = [Sample(s.processes, s.bytes, drawn(s.seconds)) for s in found]
        try:
            reduction = self.reduction[dtype]
            return tuple(fit(samples, name, reduction, near) for name in ALGORITHMS)
        except (KeyError, ValueError) as error:
            raise ConfigError(
                f"too few times of {library} in {dtype} on two or more processes",
                (),
                "what pdehvd net --np 2 writes",
            ) from error


def read(path: Path) -> Network:
    """Return a measured network. Raises `ConfigError` where the file holds none."""
    if not path.is_file():
        raise ConfigError(f"there is no file {path}", (), f"the {FILE} of pdehvd net --np 2")
    try:
        return Network.model_validate(folder.read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigError(
            f"{path} holds no measured network: {place}: {first['msg']}", (), f"a {FILE}"
        ) from error


def check(counts: Sequence[int], largest: int, available: float) -> None:
    """Raise `ConfigError` for process counts that cannot be measured here."""
    if ranks.joined():
        raise ConfigError(
            "the processes are those of the launcher", (), "no --np inside mpirun or srun"
        )
    most = max(counts)
    if min(counts) < 2:
        raise ConfigError("--np: one process alone sends no messages", (), "2 or more")
    if not network.fits_memory(largest, most, available):
        raise ConfigError(
            f"--np {most} with messages of {largest / 2**20:.0f} MiB need more than the "
            f"{available / 2**30:.1f} GiB of memory that are free",
            (),
            "fewer processes, or a smaller --largest",
        )


def measure(counts: Sequence[int], largest: int) -> dict[str, Any]:
    """Start processes for every count and both ways to join, and return what they measured.

    Raises `EnvironmentFault` where MPI or Horovod fails; Gloo is left out where it is missing.
    """
    parts: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        for processes in counts:
            into = Path(place, f"mpi-{processes}.json")
            words = _words(largest, into)
            code = launch.launch(words, ONE_THREAD, processes)
            if code:
                raise EnvironmentFault(
                    f"{counted(processes, 'process')} over MPI ended with {code}"
                )
            parts.append(folder.read_json(into))
            into = Path(place, f"gloo-{processes}.json")
            command = [sys.executable, "-m", "pdehvd", *_words(largest, into)]
            if rendezvous.launch_gloo(command, processes):
                print("Gloo could not be measured", file=sys.stderr)
            else:
                parts.append(folder.read_json(into))
    return joined(parts)


def _words(largest: int, into: Path) -> list[str]:
    return ["net", "--largest", str(largest), "--into", str(into)]


def measure_here(largest: int) -> dict[str, Any] | None:
    """Measure as one of the processes that a launcher started; only rank 0 has the result."""
    configure_threads(ONE_THREAD)
    rank = ranks.world_rank()
    found = network.measure(largest, _say if rank == 0 else lambda text: None)
    return found if rank == 0 else None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def joined(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one network of several measurements: all samples, the means of the limits."""
    samples = [
        {**sample, "processes": part["processes"], "hosts": part["hosts"]}
        for part in parts
        for sample in part["samples"]
    ]
    dtypes = parts[0]["reduction"]
    return {
        "environment": folder.environment(max(part["processes"] for part in parts), 1),
        "samples": samples,
        "reduction": {
            dtype: sum(part["reduction"][dtype] for part in parts) / len(parts) for dtype in dtypes
        },
        "copy_bytes_per_second": sum(part["copy"] for part in parts) / len(parts),
        "link_bits_per_second": parts[0]["link"],
        "cores": node_cores(),
    }


def with_fits(found: dict[str, Any]) -> dict[str, Any]:
    """Return the network with the links fitted to every library and dtype."""
    measured = Network.model_validate(found)
    fits = []
    for library, dtype in dict.fromkeys((s.library, s.dtype) for s in measured.samples):
        try:
            links = measured.links(library, dtype)
        except ConfigError:
            continue
        fits += [{"library": library, "dtype": dtype, **vars(link)} for link in links]
    return {**found, "fits": fits}


def write(found: dict[str, Any], output: Path | None) -> Path:
    """Write `net.json` and its picture into a folder; a new one below runs/net by default.

    Raises `ConfigError` where that cannot be written, or holds a measurement already.
    """
    from pdehvd.experiment.plots import png
    from pdehvd.experiment.plots_network import allreduce_times

    place = folder_for(output)
    folder.write_json(place / FILE, found)
    (place / PICTURE).write_bytes(png(allreduce_times(Network.model_validate(found))))
    return place


def folder_for(output: Path | None) -> Path:
    """Return the folder to write to, made if needed."""
    place = output or Path("runs", "net", time.strftime("%Y%m%d-%H%M%S"))
    if (place / FILE).exists():
        raise ConfigError(f"{place} holds a measurement already", (), "another --output")
    try:
        place.mkdir(parents=True, exist_ok=True)
        if not os.access(place, os.W_OK):
            raise PermissionError(errno.EACCES, "Permission denied")
    except OSError as error:
        raise folder.unwritable(place, error) from error
    return place
