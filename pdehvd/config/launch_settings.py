"""What the launcher must know of a config before anything heavy is imported."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pdehvd.comm.grid import chunk_count
from pdehvd.config.overrides import override
from pdehvd.config.yaml_source import Source, read_source
from pdehvd.errors import ConfigError
from pdehvd.launch.processes_spec import ProcessesSpec
from pdehvd.launch.threads import check_cores

_EXACT = "exact"


def processes_of(
    config: Path, settings: Sequence[str], np: int | None, discovery: Path | None
) -> tuple[ProcessesSpec, float]:
    """Return the section `processes` and how many of them have work: a point, sample or chunk each.

    The section holds what the command line says about it: the number of processes, `max` for an
    elastic job, and the program that grants them.
    Raises `ConfigError` where they need more cores than there are.
    Starting processes need not wait for TensorFlow here too: they validate the rest. Only a
    section with a mistake is validated in this process, to tell it.
    """
    source = override(read_source(config), settings)
    sampling = source.data.get("sampling")
    named = sampling if isinstance(sampling, dict) else {}
    points = named.get("equations", named.get("batch"))
    try:
        processes = ProcessesSpec.model_validate(source.data.get("processes") or {})
    except ValidationError:
        from pdehvd.config.root import load_config

        processes = load_config(config, settings)[0].processes
    processes = _told(processes, config.parent, np, discovery)
    try:
        check_cores(processes, processes.np or 1)
    except ConfigError as error:
        raise source.located(error) from error
    hook = _aggregation(source)
    if hook.get("name") == _EXACT:
        processes = processes.model_copy(update={"threads": 1})
        chunk = hook.get("chunk")
        if isinstance(points, int) and points > 0:
            points = chunk_count(points, chunk if isinstance(chunk, int) else None)
    return processes, points if isinstance(points, int) else math.inf


def sums_exactly(config: Path, settings: Sequence[str]) -> bool:
    """Return whether sums are exact, for which every process has one thread from its start."""
    return _aggregation(override(read_source(config), settings)).get("name") == _EXACT


def output_of(config: Path, settings: Sequence[str]) -> Path:
    """Return the folder of the runs that the config names, by default `runs`."""
    named = override(read_source(config), settings).data.get("output")
    return Path(named) if isinstance(named, str) else Path("runs")


def _aggregation(source: Source) -> dict[str, Any]:
    """Return the section `aggregation` as a mapping."""
    section = source.data.get("aggregation")
    return section if isinstance(section, dict) else {"name": section}


def _told(
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
