"""One run: config to parts to trainer to run directory, on one process or many."""

from __future__ import annotations

import hashlib
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pdehvd.comm import job, join, launch
from pdehvd.comm.group import Group
from pdehvd.comm.timed import TimedGroup
from pdehvd.comm.watchdog import Watchdog
from pdehvd.errors import ConfigError, DisagreementError
from pdehvd.experiment import directory as folder
from pdehvd.experiment.build import build_parts
from pdehvd.experiment.config import Config, dump
from pdehvd.experiment.failures import told
from pdehvd.experiment.sameness import check_same
from pdehvd.experiment.trained import Trained, open_run
from pdehvd.experiment.yaml_source import Source
from pdehvd.training.checkpoint import (
    Checkpoints,
    blaming,
    has_checkpoints,
    read_checkpoint,
    state_of,
)
from pdehvd.training.history import History, read
from pdehvd.training.profile import ProfiledStepper
from pdehvd.training.progress import Progress
from pdehvd.training.state import TrainState
from pdehvd.training.trainer import Outcome, Output, Trainer

__all__ = ["Trained", "open_run", "train"]

# What all ranks have to say alike is said by rank 0; the others would repeat it after so long.
_PATIENCE = 5.0
EXIT_CODES = {"completed": 0, "stalled": 0, "diverged": 4, "interrupted": 130}
_LEAVING = 20.0


@dataclass(frozen=True)
class _Place:
    """Where this process stands and where the run is written."""

    group: Group
    directory: Path
    threads: int
    quiet: bool
    watchdog: Watchdog

    @property
    def writes(self) -> bool:
        return self.group.rank == 0

    def say(self, text: str) -> None:
        """Print a line on rank 0 and keep it in log.txt."""
        if not self.writes:
            return
        with open(self.directory / folder.LOG, "a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%H:%M:%S')} {text}\n")
        if not self.quiet:
            print(text, flush=True)


def train(
    config: Config,
    source: Source,
    resume: Path | None = None,
    output: Path | None = None,
    quiet: bool = False,
) -> int:
    """Train in this process, joined with the others of its job; return the exit code.

    An exception on any one rank ends all ranks. Raises `ConfigError` on all ranks alike.
    """
    with Watchdog(config.processes) as watchdog:
        return _train(config, source, resume, output, quiet, watchdog)


def _train(
    config: Config,
    source: Source,
    resume: Path | None,
    output: Path | None,
    quiet: bool,
    watchdog: Watchdog,
) -> int:
    threads = launch.configure_threads(config.threaded, config.problem.kind == "grid")
    group = join.group(config.processes)
    if config.processes.profile and not group.times_itself:
        group = TimedGroup(group)
    with folder.Lock() as lock:
        try:
            if group.rank == 0 and launch.open_door():
                print(launch.open_door(), file=sys.stderr, flush=True)
            watchdog.introduce(group)
            check_same(group, config)
            parts = _together(group, lambda: build_parts(config, group), source)
            directory = _directory(config, group, resume, output, lock)
            place = _Place(group, directory, threads, quiet, watchdog)
            code = _run(config, parts, place, resume)
        except ConfigError:
            group.close()
            raise
        except (Exception, SystemExit) as error:
            if group.size == 1:
                raise
            # The others wait in a collective, and would wait for ever.
            if group.rank and isinstance(error, DisagreementError):
                time.sleep(_PATIENCE)
            text, code = told(error)
            print(f"rank {group.rank}: {text}", file=sys.stderr, flush=True)
            join.abort(code)
    group.close()
    return code


def _run(config: Config, parts: Any, place: _Place, resume: Path | None) -> int:
    """Train from a fresh or a stored state, then look at the result."""
    history = History(place.directory, enabled=place.writes)
    checkpoints = Checkpoints(place.directory, config.training.keep, place.writes)
    if resume is None:
        # At once: a run that dies before its first step can be resumed like any other.
        _describe(config, place)
    stepper = ProfiledStepper(parts) if config.processes.profile else None
    trainer = Trainer(parts, config.training, place.watchdog.beat, stepper)
    state = trainer.fresh_state()
    if resume is not None:
        stored = _stored(place)
        if stored is not None:
            with blaming(place.directory):
                state = trainer.restored(stored)
        if place.writes:
            folder.tidy(place.directory)
        checkpoints.tidy(state.step)
        history.truncate(state.step)
        _describe(config, place)
    quiet = place.quiet or not place.writes
    progress = Progress(config.training.steps, quiet=quiet, start=state.step)
    started = "resumed at step " + str(state.step) if resume else "started"
    place.say(f"{config.name} {started}: {_cost(parts, place)}; {place.directory}")
    for note in parts.objective.problem.notes:
        place.say(note)
    with progress, history:
        outcome = trainer.fit(state, Output(history, progress, checkpoints))
    place.watchdog.relax()
    # Every rank takes part in it, and rank 0 alone writes.
    profile = {} if stepper is None else {"profile": stepper.facts(_peak_memory())}
    _conclude(config, parts, place, outcome, profile)
    # A launcher kills the others as soon as one rank ends with a code other than 0.
    place.group.barrier()
    return EXIT_CODES[outcome.status]


def _describe(config: Config, place: _Place) -> None:
    """Write the config and what surrounds the run."""
    if place.writes:
        folder.write_text(place.directory / folder.CONFIG, dump(config))
        folder.write_json(
            place.directory / folder.ENVIRONMENT,
            folder.environment(place.group.size, place.threads)
            | {"collectives": place.group.library},
        )


def _cost(parts: Any, place: _Place) -> str:
    size, points = parts.objective.size, parts.objective.points
    processes = f"{place.group.size} processes x {place.threads} threads"
    return f"{size} parameters, {points} points, {processes}"


def _together(group: Group, build: Callable[[], Any], source: Source) -> Any:
    """Build the parts; a config error names the line of the config."""
    try:
        return build()
    except ConfigError as error:
        raise source.located(error) from error


def _directory(
    config: Config, group: Group, resume: Path | None, output: Path | None, lock: folder.Lock
) -> Path:
    """Return the run directory: rank 0 chooses it and tells the others, or why it could not."""
    answer = b""
    if group.rank == 0:
        try:
            base = Path(output or config.output or "runs").resolve()
            chosen = folder.find(resume) if resume else folder.create(base, config.name)
            # Ranks of a job that has just died may still be on their way out.
            lock.take(chosen, seconds=_LEAVING)
            job.note_run(chosen)
            answer = b"+" + str(chosen).encode()
        except ConfigError as error:
            answer = b"-" + str(error).encode()
    answer = group.broadcast_bytes(answer)
    if answer[:1] == b"-":
        raise ConfigError(answer[1:].decode())
    return Path(answer[1:].decode())


def _stored(place: _Place) -> TrainState | None:
    """Return the newest checkpoint of a run; only rank 0 needs to see the files.

    None where the run died before it wrote any: it then starts from the beginning.
    """
    answer = b""
    if place.writes and has_checkpoints(place.directory):
        try:
            answer = b"+" + read_checkpoint(place.directory, tell=place.say)
        except ConfigError as error:
            answer = b"-" + str(error).encode()
    answer = place.group.broadcast_bytes(answer)
    if answer[:1] == b"-":
        raise ConfigError(answer[1:].decode())
    return state_of(place.directory, answer[1:]) if answer else None


def _conclude(
    config: Config, parts: Any, place: _Place, outcome: Outcome, profile: dict[str, Any]
) -> None:
    """Write the summary on rank 0, then draw; a summary means that the numbers are complete."""
    if not place.writes:
        return
    if math.isnan(outcome.loss) and outcome.status != "diverged":
        # All steps had been done before: the loss is that of the last of them.
        losses = read(place.directory).get("loss/total", [math.nan])
        outcome = replace(outcome, loss=float(list(losses)[-1]))
    summary = _summary(config, parts, place, outcome) | profile
    if outcome.status != "diverged":
        _draw(place, summary)
    folder.write_json(place.directory / folder.SUMMARY, summary)
    errors = ", ".join(f"{name} {error:.3e}" for name, error in outcome.errors.items())
    place.say(
        f"{outcome.status}: {outcome.reason}; loss {outcome.loss:.3e}"
        + (f"; relative L2 {errors}" if errors else "")
    )
    for name, value in summary["unknowns"].items():
        place.say(f"discovered {name} = {value:.8g}")
    place.say(f"run: {place.directory}")


def _draw(place: _Place, summary: dict[str, Any]) -> None:
    """Draw the plots and the report; a picture that fails must not lose a run."""
    from pdehvd.experiment import report

    try:
        report.report(place.directory, summary)
    except Exception as error:
        place.say(f"the plots could not be drawn: {type(error).__name__}: {error}")


def _summary(config: Config, parts: Any, place: _Place, outcome: Outcome) -> dict[str, Any]:
    state = outcome.state
    return {
        "status": outcome.status,
        "reason": outcome.reason,
        "name": config.name,
        "processes": place.group.size,
        "threads_per_process": place.threads,
        "precision": config.precision,
        "parameters": parts.objective.size,
        "points": parts.objective.points,
        "notes": list(parts.objective.problem.notes),
        "steps": state.step,
        "seconds": state.seconds,
        "restarts": job.restarts(),
        "seconds_per_step": outcome.clock.per_step,
        "points_per_second": outcome.clock.points_per_second,
        "loss": outcome.loss,
        "relative_l2": outcome.errors,
        "best": {"step": state.best_step, "value": state.best},
        "unknowns": {
            name: float(value) for name, value in parts.objective.unknowns(state.theta).items()
        },
        "peak_memory_mib": _peak_memory(),
        "parameters_sha256": hashlib.sha256(
            np.ascontiguousarray(state.theta.numpy()).tobytes()
        ).hexdigest(),
    }


def _peak_memory() -> float:
    """Return the largest resident memory of this process so far, in MiB."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 2**20 if sys.platform == "darwin" else used / 2**10
