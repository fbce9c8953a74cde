"""What a launcher must know of a config: how many processes, with how many threads, and where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from pdehvd.comm.grid import chunk_count
from pdehvd.config.overrides import override
from pdehvd.config.root import prepare, validate
from pdehvd.config.yaml_source import YamlSource, read_source
from pdehvd.errors import ConfigError
from pdehvd.launch.processes_spec import ProcessesSpec
from pdehvd.launch.threads import check_cores
from pdehvd.spec.plain import Table

_EXACT = "exact"


@dataclass(frozen=True)
class LaunchSettings:
    """The part of a config that decides how it is started.

    It is read without the plug-ins, whose code is for the processes that train. Sections that they
    may register are therefore taken as they are written.
    """

    source: YamlSource
    folder: Path

    @classmethod
    def read(cls, config: Path, settings: Sequence[str]) -> LaunchSettings:
        """Return the settings of a file. Raises `ConfigError` where it cannot be read."""
        return cls(override(read_source(config), settings), config.parent)

    @property
    def output(self) -> Path:
        """The folder of the runs, by default `runs`."""
        named = self.source.data.get("output")
        return Path(named) if isinstance(named, str) else Path("runs")

    @property
    def exact(self) -> bool:
        """Whether sums are exact, for which every process has one thread from its start."""
        return self._section("aggregation").get("name") == _EXACT

    @property
    def most(self) -> float:
        """How many processes have work: a point, a sample or a chunk each."""
        sampling = self._section("sampling")
        items = sampling.get("equations", sampling.get("batch"))
        if not isinstance(items, int):
            return math.inf
        chunk = self._section("aggregation").get("chunk")
        chunked = self.exact and items > 0
        return chunk_count(items, chunk if isinstance(chunk, int) else None) if chunked else items

    def processes(self, np: int | None, discovery: Path | None) -> ProcessesSpec:
        """Return the section `processes` with what the command line says about it.

        `np` is the number of processes, for an elastic job `max`; `discovery` grants them.
        Raises `ConfigError` where they need more cores than there are.
        """
        processes = _with_options(self._processes, self.folder, np, discovery)
        with self.source.locating():
            check_cores(processes, processes.np or 1)
        return processes.model_copy(update={"threads": 1}) if self.exact else processes

    @cached_property
    def _processes(self) -> ProcessesSpec:
        try:
            return ProcessesSpec.model_validate(self.source.data.get("processes") or {})
        except ValidationError:
            # The whole config is validated, to tell the mistake with its line.
            prepare()
            return validate(self.source).processes

    def _section(self, name: str) -> Table:
        """Return a section as a mapping."""
        section = self.source.data.get(name)
        return section if isinstance(section, dict) else {"name": section}


def _with_options(
    processes: ProcessesSpec, folder: Path, np: int | None, discovery: Path | None
) -> ProcessesSpec:
    """Return the section with what the command line says. Raises `ConfigError` for both at once."""
    if processes.elastic is None:
        if discovery is not None:
            raise ConfigError(
                "--discovery, but the job is not elastic", (), "processes: {elastic: {max: N}}"
            )
        return processes.model_copy(update={"np": np or processes.np})
    if np is not None:
        raise ConfigError(f"--np {np}, but the job is elastic", (), "no --np")
    elastic = processes.elastic.asking(folder, discovery)
    return processes.model_copy(update={"elastic": elastic, "np": elastic.max})
