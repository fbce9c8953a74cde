"""One run: config to parts to trainer to run directory, on one process or many."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pdehvd.assembly import environment_record
from pdehvd.assembly import run_directory as folder
from pdehvd.assembly.build import build_parts
from pdehvd.assembly.kind_registry import kind_of
from pdehvd.assembly.problem import resolve, with_entries
from pdehvd.comm import backend
from pdehvd.comm.agreement import from_rank_0
from pdehvd.comm.group import Group
from pdehvd.comm.timed_group import TimedGroup
from pdehvd.comm.watchdog import Watchdog
from pdehvd.config.data_record import CONFIG, changes, write_config
from pdehvd.config.root import Config
from pdehvd.config.yaml_source import YamlSource, read_source
from pdehvd.errors import ConfigError, DisagreementError, counted
from pdehvd.experiment.failures import message_and_code
from pdehvd.experiment.run_context import RunLocation
from pdehvd.experiment.sameness import check_same
from pdehvd.experiment.summary import begin, conclude, peak_memory
from pdehvd.launch import process_setup, rendezvous, restarts
from pdehvd.spec.plain import Facts
from pdehvd.training import durable
from pdehvd.training.callback import Callback
from pdehvd.training.checkpoint import (
    Checkpoints,
    blaming,
    has_checkpoints,
    open_checkpoint,
)
from pdehvd.training.history import History
from pdehvd.training.profile import ProfiledStepper
from pdehvd.training.progress import Progress
from pdehvd.training.rows import Output
from pdehvd.training.stepper import AnyParts
from pdehvd.training.stored import StoredState
from pdehvd.training.trainer import Trainer

# What all ranks have to say alike is said by rank 0; the others would repeat it after so long.
_PATIENCE = 5.0
# Ends of runs after which their last step needs no more work.
_DONE = ("completed", "stalled")
EXIT_CODES = {"completed": 0, "stalled": 0, "diverged": 4, "interrupted": 130}
_LEAVING = 20.0


def train(
    config: Config,
    source: YamlSource,
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
    source: YamlSource,
    resume: Path | None,
    output: Path | None,
    quiet: bool,
    watchdog: Watchdog,
) -> int:
    images, keeps = kind_of(config).images, config.keeps_memory
    count = process_setup.configure_threads(config.threaded, images, keeps)
    callbacks = [spec.build() for spec in config.callbacks]
    for callback in callbacks:
        callback.on_launch()
    group = backend.group(config.processes)
    if config.processes.profile and not group.times_itself:
        group = TimedGroup(group)
    with folder.Lock() as lock:
        try:
            if group.rank == 0 and rendezvous.open_door():
                print(rendezvous.open_door(), file=sys.stderr, flush=True)
            watchdog.introduce(group)
            check_same(group, config)
            with source.locating():
                config = with_entries(config, _resolved(config, group, resume))
                parts = build_parts(config, group)
            directory = _directory(config, group, resume, output, lock)
            place = RunLocation(group, directory, count, quiet, watchdog)
            code = _run(config, parts, place, resume, callbacks)
        except ConfigError:
            group.close()
            raise
        except (Exception, SystemExit) as error:
            if group.size == 1:
                raise
            # The others wait in a collective, and would wait forever.
            if group.rank and isinstance(error, DisagreementError):
                time.sleep(_PATIENCE)
            text, code = message_and_code(error)
            print(f"rank {group.rank}: {text}", file=sys.stderr, flush=True)
            backend.abort(code)
    group.close()
    return code


def _run(
    config: Config,
    parts: AnyParts,
    place: RunLocation,
    resume: Path | None,
    callbacks: Sequence[Callback],
) -> int:
    """Train from a fresh or a stored state, then look at the result."""
    history = History(place.directory, enabled=place.writes)
    checkpoints = Checkpoints(place.directory, config.training.keep, place.writes, callbacks)
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
            if _is_done(config, state.step, place):
                return 0
        if place.writes:
            for change in changes(place.directory, config):
                place.say(change)
            folder.tidy(place.directory)
        checkpoints.tidy(state.step)
        # A run that begins again has no row, not even that of step 0.
        history.truncate(-1 if stored is None else state.step)
        _describe(config, place)
    quiet = place.quiet or not place.writes
    progress = Progress(config.training.steps, quiet=quiet, start=state.step)
    started = "resumed at step " + str(state.step) if resume else "started"
    place.say(f"{config.name} {started}: {_cost(parts, place)}; {place.directory}")
    judge = begin(config, parts, place)
    for callback in callbacks:
        callback.on_start(place.directory, place.group, state)
    with progress, history:
        outcome = trainer.fit(state, Output(history, progress, checkpoints, callbacks))
    place.watchdog.relax()
    for callback in callbacks:
        callback.on_end(outcome)
    # Every rank takes part in it, and rank 0 alone writes.
    profile = {} if stepper is None else {"profile": stepper.facts(peak_memory())}
    conclude(config, parts, place, outcome, profile, judge)
    # A launcher kills the others as soon as one rank ends with a code other than 0.
    place.group.barrier()
    return EXIT_CODES[outcome.status]


def _describe(config: Config, place: RunLocation) -> None:
    """Write the config and the environment record."""
    if place.writes:
        write_config(place.directory, config)
        durable.write_json(
            place.directory / folder.ENVIRONMENT,
            environment_record.environment(place.group.size, place.threads)
            | {"collectives": place.group.library},
        )


def _cost(parts: AnyParts, place: RunLocation) -> str:
    size, points = parts.objective.size, parts.objective.points
    processes = f"{counted(place.group.size, 'process')} x {counted(place.threads, 'thread')}"
    return f"{counted(size, 'parameter')}, {counted(points, 'point')}, {processes}"


def _resolved(config: Config, group: Group, resume: Path | None) -> Facts:
    """Return what is found of the problem before training: rank 0 finds it, alike for all."""

    def find() -> bytes:
        stored = None
        if resume is not None:
            file = folder.find(resume) / CONFIG
            section = read_source(file).data.get("problem") if file.is_file() else {}
            stored = section if isinstance(section, dict) else {}
        return json.dumps(resolve(config, stored)).encode()

    entries: Facts = json.loads(from_rank_0(group, find))
    return entries


def _directory(
    config: Config, group: Group, resume: Path | None, output: Path | None, lock: folder.Lock
) -> Path:
    """Return the run directory: rank 0 chooses it and tells the others, or why it could not."""

    def choose() -> bytes:
        base = Path(output or config.output or "runs").resolve()
        chosen = folder.find(resume) if resume else folder.create(base, config.name)
        # Ranks of a job that has just died may still be on their way out.
        lock.take(chosen, seconds=_LEAVING)
        restarts.note_run(chosen)
        return os.fsencode(chosen)

    return Path(os.fsdecode(from_rank_0(group, choose)))


def _stored(place: RunLocation) -> StoredState | None:
    """Return the newest checkpoint of a run; only rank 0 needs to see the files.

    None where the run died before it wrote any: it then starts from the beginning.
    """
    written = place.writes and has_checkpoints(place.directory)
    if not place.group.broadcast_bytes(b"+" if written else b""):
        return None
    return open_checkpoint(place.directory, group=place.group, report=place.say)


def _is_done(config: Config, step: int, place: RunLocation) -> bool:
    """Return whether a stored run has all steps that are asked for, and say so; alike on all ranks.

    A run that died while it drew its pictures has all of them, and is not done.
    """
    asked, answer = config.training.steps, b""
    if place.writes:
        status = durable.read_json(place.directory / folder.SUMMARY).get("status")
        answer = b"+" if step > asked or (step == asked and status in _DONE) else b""
    done = bool(place.group.broadcast_bytes(answer))
    if done and place.writes and not place.quiet:
        print(
            f"nothing to do: the run has {counted(step, 'step')}, and training.steps is "
            f"{asked:,}; to continue: --set training.steps=N with N above {step}; {place.directory}"
        )
    return done
