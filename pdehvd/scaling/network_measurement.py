"""A measured network: times of the allreduce, and the links fitted to them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pdehvd.assembly import environment_record
from pdehvd.errors import ConfigError
from pdehvd.launch.threads import node_cores
from pdehvd.scaling.network_model import ALGORITHMS, AllreduceSample, Link, fit_link
from pdehvd.spec.plain import Facts
from pdehvd.training import durable

FILE = "net.json"


class AllreduceTimes(BaseModel):
    """The times of one size of allreduce, one for each batch of repetitions."""

    model_config = ConfigDict(frozen=True)

    library: str
    dtype: str
    processes: int = Field(ge=1)
    hosts: int = Field(ge=1)
    bytes: int = Field(ge=1)
    seconds: tuple[float, ...] = Field(min_length=1)


class NetworkMeasurement(BaseModel):
    """What `net.json` holds; `reduction` in s per byte by dtype, `copy` in bytes per s."""

    model_config = ConfigDict(frozen=True)

    samples: tuple[AllreduceTimes, ...] = Field(min_length=1)
    reduction: dict[str, float]
    copy_bytes_per_second: float = Field(gt=0)
    link_bits_per_second: float | None = None
    cores: int | None = Field(None, ge=1)

    def of(self, library: str, dtype: str) -> list[AllreduceTimes]:
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
        samples = [AllreduceSample(s.processes, s.bytes, drawn(s.seconds)) for s in found]
        try:
            reduction = self.reduction[dtype]
            return tuple(fit_link(samples, name, reduction, near) for name in ALGORITHMS)
        except (KeyError, ValueError) as error:
            raise ConfigError(
                f"too few times of {library} in {dtype} on two or more processes",
                (),
                "what pdehvd net --np 2 writes",
            ) from error


def load(path: Path) -> NetworkMeasurement:
    """Return a measured network. Raises `ConfigError` where the file holds none."""
    if not path.is_file():
        raise ConfigError(f"there is no file {path}", (), f"the {FILE} of pdehvd net --np 2")
    try:
        return NetworkMeasurement.model_validate(durable.read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigError(
            f"{path} holds no measured network: {place}: {first['msg']}", (), f"a {FILE}"
        ) from error


def merge(parts: Sequence[Facts]) -> Facts:
    """Return one network of several measurements: all samples, the means of the limits."""
    samples = [
        {**sample, "processes": part["processes"], "hosts": part["hosts"]}
        for part in parts
        for sample in part["samples"]
    ]
    dtypes = parts[0]["reduction"]
    return {
        "environment": environment_record.environment(max(part["processes"] for part in parts), 1),
        "samples": samples,
        "reduction": {
            dtype: sum(part["reduction"][dtype] for part in parts) / len(parts) for dtype in dtypes
        },
        "copy_bytes_per_second": sum(part["copy"] for part in parts) / len(parts),
        "link_bits_per_second": parts[0]["link"],
        "cores": node_cores(),
    }


def with_fits(found: Facts) -> Facts:
    """Return the network with the links fitted to every library and dtype."""
    measured = NetworkMeasurement.model_validate(found)
    fits = []
    for library, dtype in dict.fromkeys((s.library, s.dtype) for s in measured.samples):
        try:
            links = measured.links(library, dtype)
        except ConfigError:
            continue
        fits += [{"library": library, "dtype": dtype, **vars(link)} for link in links]
    return {**found, "fits": fits}
