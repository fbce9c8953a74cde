"""What the launcher must know of a config before anything heavy is imported."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from pdehvd.comm.spec import ProcessesSpec
from pdehvd.errors import ConfigError
from pdehvd.experiment.overrides import override
from pdehvd.experiment.yaml_source import read_source


def processes_of(
    config: Path, settings: Sequence[str], np: int | None, discovery: Path | None
) -> tuple[ProcessesSpec, float]:
    """Return the section `processes` and the number of points or samples, where it is named.

    The section holds what the command line says about it: the number of processes, `max` for an
    elastic job, and the program that grants them.
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
        from pdehvd.experiment.config import load_config

        processes = load_config(config, settings)[0].processes
    processes = _told(processes, config.parent, np, discovery)
    return processes, points if isinstance(points, int) else math.inf


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
