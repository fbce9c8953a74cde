"""Several runs side by side: what each says of itself, and what can be compared."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from pdehvd.assembly.run_directory import ENVIRONMENT, EVALUATION, SUMMARY, find
from pdehvd.config.data_record import CONFIG, read_record
from pdehvd.config.yaml_source import read_source
from pdehvd.errors import ConfigError
from pdehvd.spec.plain import Facts, Json, Table, as_table, item
from pdehvd.training import history
from pdehvd.training.durable import read_json

# What may differ between the problems of runs whose errors measure the same.
_MEANS = ("conditions", "hard", "scale", "unknowns", "loss")
# What is part of a problem and changes no result.
_BESIDES = ("labels", "monitors")
_HEX = 12


@dataclass(frozen=True)
class ComparedRun:
    """A run directory as a comparison shows it, read without its network."""

    label: str
    directory: Path

    @cached_property
    def summary(self) -> Facts:
        """What the run says of itself; empty while it has not ended."""
        return read_json(self.directory / SUMMARY)

    @cached_property
    def history(self) -> pd.DataFrame:
        """The metrics, a row for each logged step."""
        return history.read(self.directory)

    @cached_property
    def config(self) -> Table:
        """The config as plain data; files that are known by their digest are named with it."""
        data = read_source(self.directory / CONFIG).data
        for file in read_record(self.directory).files:
            _name_by_digest(data, file.key, Path(file.path).name, file.sha256)
        return data

    @property
    def problem(self) -> Table:
        """The section `problem` without labels and monitors, which change nothing."""
        section = as_table(self.config.get("problem"))
        return {key: value for key, value in section.items() if key not in _BESIDES}

    @property
    def status(self) -> str:
        """How the run ended, or `unfinished`."""
        return str(self.summary.get("status", "unfinished"))

    @property
    def processes(self) -> float:
        """The number of processes; NaN where the run did not get so far as to write it."""
        environment = read_json(self.directory / ENVIRONMENT)
        return _number(self.summary.get("processes", environment.get("processes")))

    @property
    def optimizer(self) -> str:
        """The names of the optimizer's phases."""
        given = self.config.get("optimizer", "adam")
        phases = given if isinstance(given, list) else [given]
        return ", ".join(str(as_table(one).get("name", one)) for one in phases)

    @property
    def steps(self) -> float:
        """The last step that was logged; NaN without one."""
        return self._last("step", "steps")

    @property
    def seconds(self) -> float:
        """The seconds of training; NaN without a logged step."""
        return self._last("seconds", "seconds")

    @property
    def loss(self) -> float:
        """The last loss; NaN without one."""
        return self._last("loss/total", "loss")

    @property
    def errors(self) -> dict[str, float]:
        """The last relative L2 errors by field."""
        return self._named("relative_l2", "relative_l2/")

    @property
    def unknowns(self) -> dict[str, float]:
        """The last values of unknowns."""
        return self._named("unknowns", "unknown/")

    @property
    def unknown_errors(self) -> dict[str, float]:
        """The relative errors of unknowns, as far as their true values are known."""
        return self._measured("unknowns")

    @property
    def monitors(self) -> dict[str, float]:
        """The last values of monitors."""
        return self._named("monitors", "monitor/")

    @property
    def monitor_errors(self) -> dict[str, float]:
        """The errors of monitors, as far as their values are expected."""
        return self._measured("monitors")

    def _measured(self, key: str) -> dict[str, float]:
        measured = read_json(self.directory / EVALUATION).get(key, {})
        found = {name: facts.get("error") for name, facts in measured.items()}
        return {name: float(error) for name, error in found.items() if error is not None}

    def _named(self, key: str, prefix: str) -> dict[str, float]:
        if key in self.summary:
            return {name: _number(value) for name, value in self.summary[key].items()}
        columns = [str(name) for name in self.history.columns if str(name).startswith(prefix)]
        return {name.removeprefix(prefix): self._last(name) for name in columns}

    def _last(self, column: str, key: str = "") -> float:
        """Return a number of the summary, or else the last finite one of a column."""
        if key in self.summary:
            return _number(self.summary[key])
        known = self.history[column].dropna().tolist() if column in self.history else []
        return float(known[-1]) if known else math.nan


def compared_runs(given: Sequence[Path]) -> list[ComparedRun]:
    """Return the runs of paths: run directories, `latest`, and folders that hold some.

    Raises `ConfigError` for a path without a run, and for fewer than two runs.
    """
    found = list(dict.fromkeys(run for path in given for run in _runs_at(path)))
    if len(found) < 2:
        one = f" ({found[0]})" if found else ""
        raise ConfigError(
            f"there is only one run to compare{one}", (), "two runs or more, or a folder of runs"
        )
    shared = os.path.commonpath(found)
    return [ComparedRun(os.path.relpath(run, shared), run) for run in found]


def _runs_at(path: Path) -> list[Path]:
    """Return the run at a path, or those in a folder such as `runs` or `runs/NAME`."""
    if path.is_dir() and not (path / CONFIG).is_file():
        folders = [one for depth in ("*", "*/*") for one in sorted(path.glob(depth))]
        # The link `latest` is one of the others.
        runs = [one.resolve() for one in folders if _is_run(one)]
        if not runs:
            raise ConfigError(f"{path} holds no run", (), "a run directory, or a folder of runs")
        return sorted(runs)
    return [find(path)]


def _is_run(folder: Path) -> bool:
    return (folder / CONFIG).is_file() and not folder.is_symlink()


def same_losses(runs: Sequence[ComparedRun]) -> bool:
    """Return whether the losses of runs measure the same: one problem, one weighting."""
    return _alike(runs, lambda run: (run.problem, run.config.get("weighting")))


def same_errors(runs: Sequence[ComparedRun]) -> bool:
    """Return whether the errors of runs measure the same: one domain, equation and reference."""
    return _alike(runs, lambda run: {k: v for k, v in run.problem.items() if k not in _MEANS})


def _alike(runs: Sequence[ComparedRun], part: Callable[[ComparedRun], object]) -> bool:
    return all(part(run) == part(runs[0]) for run in runs[1:])


def least(values: Sequence[float]) -> list[bool]:
    """Return which of the values are the least finite one; none where only one is finite."""
    finite = [value for value in values if math.isfinite(value)]
    return [len(finite) > 1 and value == min(finite) for value in values]


def _name_by_digest(data: Table, dotted: str, name: str, digest: str) -> None:
    """Replace the path of a file, which depends on where the run lies, where its key is found."""
    holder: Json = data
    *keys, last = [int(key) if key.isdigit() else key for key in dotted.split(".")]
    try:
        for key in keys:
            holder = item(holder, key)
    except (KeyError, IndexError):
        return
    if isinstance(holder, dict) and last in holder:
        holder[str(last)] = f"{name} (SHA-256 {digest[:_HEX]}...)"


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def names_of(numbers: Iterable[Mapping[str, float]]) -> list[str]:
    """Return the names in any of the mappings, each once."""
    return list(dict.fromkeys(name for one in numbers for name in one))
