"""`pdehvd train --seeds N`: the same config with several seeds, and how far results are apart."""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pdehvd.assembly import run_directory as folder
from pdehvd.config.root import Config, dump
from pdehvd.errors import ConfigError, counted
from pdehvd.launch import job, ranks
from pdehvd.launch.commands import TrainCommand
from pdehvd.launch.processes_spec import ProcessesSpec
from pdehvd.results.comparison import ComparedRun, names_of
from pdehvd.results.open_run import open_run
from pdehvd.results.picture_file import png
from pdehvd.results.plots_compare import plot_comparison
from pdehvd.results.tables import print_table
from pdehvd.spec.plain import Facts
from pdehvd.training import durable

FILE = "seeds.json"
HEAD = ("number", "mean", "standard deviation", "smallest", "largest")


def train_seeds(
    command: TrainCommand, config: Config, processes: ProcessesSpec, np: int, count: int
) -> int:
    """Train with the seeds from that of the config on; print and write how far results are apart.

    The runs, `seeds.json` and pictures lie in `OUTPUT/NAME/seeds/`; runs that are there already
    are not repeated, one that was interrupted is resumed. Returns the exit code.
    Raises `ConfigError` where that folder holds runs of another config.

    Arguments:
        command: of the first run
        config: what it says
        processes: how they are started
        np: how many for each run
        count: number of seeds
    """
    if ranks.was_launched():
        raise ConfigError("--seeds starts the processes itself", (), "no launcher around it")
    place = (command.output or Path(config.output or "runs")) / config.name / "seeds"
    alike = dump(config.model_copy(update={"seed": 0, "output": None}))
    digest = hashlib.sha256(alike.encode()).hexdigest()
    known = durable.read_json(place / FILE)
    if known.get("config", digest) != digest:
        raise ConfigError(f"{place} holds runs of another config", (), "another --output")
    folder.make(place)
    if not known:
        durable.write_json(place / FILE, {"config": digest})
    found = []
    for number in range(count):
        seed = config.seed + number
        output = place / f"seed-{seed}"
        print(f"[{number + 1}/{count}] seed {seed}", flush=True)
        code = _trained(command, output, seed, processes, np)
        if code in job.STOPPED:
            print("interrupted; the same command continues from here")
            return job.INTERRUPTED
        if code not in (0, job.DIVERGED):
            return code
        found.append(_newest(output))
    ended = [run for run in found if run and _status(run) != "diverged"]
    if len(ended) < count:
        print(f"warning: {count - len(ended)} of {count} seeds diverged, and are left out")
    if len(ended) < 2:
        return job.DIVERGED
    _report(ended, command, place, digest)
    return 0


def _status(run: Path) -> str:
    """Return how a run has ended, `interrupted` where it has not."""
    return str(durable.read_json(run / folder.SUMMARY).get("status", "interrupted"))


def _newest(output: Path) -> Path | None:
    """Return the newest run in a folder."""
    runs = sorted(output.glob("*/*/config.yaml"), key=lambda file: file.stat().st_mtime)
    return runs[-1].parent if runs else None


def _trained(
    command: TrainCommand, output: Path, seed: int, processes: ProcessesSpec, np: int
) -> int:
    """Train one seed unless that is done; return the exit code."""
    run = _newest(output)
    if run is None:
        own = replace(command, settings=(*command.settings, f"seed={seed}"), output=output)
    elif _status(run) != "interrupted":
        print(f"already trained: {run}", flush=True)
        return 0
    else:
        own = replace(command.resuming(run), output=None)
    return job.launch(own, processes, np)


def _report(runs: Sequence[Path], command: TrainCommand, place: Path, digest: str) -> None:
    """Print a table, and write it with the pictures."""
    compared = [ComparedRun(run.parents[1].name, run) for run in runs]
    numbers = _numbers(compared)
    opened = [open_run(run, command.plugins) for run in runs]
    spread = opened[0].spread(opened[1:])
    rows = [_row(name, values) for name, values in numbers.items() if len(values) > 1]
    print_table(list(HEAD), rows)
    for name, size in spread.sizes.items():
        print(f"{name}: the solutions of {counted(len(runs), 'seed')} differ by {size:.1e} of it")
    for name, error in spread.errors.items():
        print(f"{name}: relative L2 error {error:.3e} of their mean")
    facts: Facts = {
        "config": digest,
        "runs": [str(run.relative_to(place)) for run in runs],
        "numbers": {name: list(values) for name, values in numbers.items()},
        "spread": dict(spread.sizes),
        "relative_l2_of_mean": dict(spread.errors),
    }
    durable.write_json(place / FILE, facts)
    pictures = {"curves": plot_comparison(compared), **spread.pictures}
    for name, picture in pictures.items():
        (place / f"{name}.png").write_bytes(png(picture))
    print(f"seeds: {place}")


def _numbers(runs: Sequence[ComparedRun]) -> dict[str, list[float]]:
    """Return the results of all runs by name: losses, errors, unknowns, monitors."""
    found = {"loss": [run.loss for run in runs]}
    for title, each in (
        ("relative L2 of {}", [run.errors for run in runs]),
        ("{}", [run.unknowns for run in runs]),
        ("monitor {}", [run.monitors for run in runs]),
    ):
        for name in names_of(each):
            found[title.format(name)] = [one.get(name, math.nan) for one in each]
    return {name: [one for one in own if math.isfinite(one)] for name, own in found.items()}


def _row(name: str, values: Sequence[float]) -> tuple[str, ...]:
    numbers = statistics.mean(values), statistics.stdev(values), min(values), max(values)
    return (name, *(f"{number:.6g}" for number in numbers))
