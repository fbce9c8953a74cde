"""Times of one process on shards of several sizes: what a prediction starts from."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pdehvd.assembly.build import build_objective, build_phases
from pdehvd.assembly.kind_registry import kind_of
from pdehvd.assembly.problem import build_problem
from pdehvd.comm import backend
from pdehvd.comm.group import Group, Solo
from pdehvd.comm.one_shard import OneShard
from pdehvd.config.root import Config
from pdehvd.config.yaml_source import YamlSource
from pdehvd.errors import ConfigError, EnvironmentFault, PdehvdError
from pdehvd.launch import job
from pdehvd.launch.commands import MeasureCommand
from pdehvd.launch.process_setup import configure_threads
from pdehvd.launch.processes_spec import ProcessesSpec
from pdehvd.launch.threads import node_cores
from pdehvd.objectives.base import Batch
from pdehvd.scaling.step_model import Work, fit_work
from pdehvd.spec.plain import Facts
from pdehvd.training import durable
from pdehvd.training.spec import TrainingSpec
from pdehvd.training.state import TrainState
from pdehvd.training.stepper import Parts, Stepper
from pdehvd.training.trainer import Trainer

# Calls that are timed on each shard, and the seconds after which no more are begun.
_CALLS, _PATIENCE = 15, 6.0
_SHARDS = 5
# Quantiles that stand for the times of single steps.
_QUANTILES = 200


class Timed(NamedTuple):
    """Seconds of a step in each call, on one of `processes` shards; `pace` is that of `Work`."""

    processes: int
    seconds: list[float]
    pace: list[float]
    messages: float
    bytes: float


def shards(mode: str, counts: Sequence[int]) -> list[int]:
    """Return into how many shards the batch is cut for the timed ones: up to five, 2 and more.

    In weak scaling every process has a whole one, so that a single one is timed.
    """
    if mode == "weak":
        return [2]
    most = max(max(counts), 4)
    steps = np.geomspace(2, most, min(_SHARDS, max(2, int(np.log2(most)))))
    return sorted({round(float(one)) for one in steps})


def time_steps(
    config: Path,
    settings: Sequence[str],
    plugins: Sequence[Path],
    processes: Mapping[str, Sequence[int]],
    say: Callable[[str], None],
) -> dict[str, list[Timed]]:
    """Return the times by mode, of a process that is pinned to a core.

    As many run at the same time as ranks will: they share caches, memory and the clock rate.
    """
    found: dict[str, list[Timed]] = {}
    with tempfile.TemporaryDirectory() as place:
        for mode, counts in processes.items():
            into = Path(place, f"{mode}.json")
            words = ["shard-times", str(config), "--into", str(into)]
            words += ["--np", ",".join(str(n) for n in (1, *shards(mode, counts)))]
            for setting in (*settings, f"scaling.mode={mode}", "processes.threads=1"):
                words += ["--set", setting]
            words += [word for plugin in plugins for word in ("--plugin", str(plugin))]
            beside = min(max(counts), node_cores())
            say(f"timing {beside} independent processes, {mode} ...")
            code = job.launch(MeasureCommand(tuple(words)), ProcessesSpec(threads=1), beside)
            if code:
                raise EnvironmentFault(f"the timing process ended with exit code {code}")
            found[mode] = [Timed(**one) for one in durable.read_json(into)["shards"]]
    return found


def time_steps_here(config: Config, source: YamlSource, counts: Sequence[int]) -> list[Timed]:
    """Time a step on one of `n` shards for every n of counts, in this process.

    Raises `ConfigError` for what is wrong with the config, `PdehvdError` for an optimizer whose
    own work is divided over processes in a way that one process alone cannot do.
    """
    configure_threads(config.processes, kind_of(config).images, config.keeps_memory)
    found = []
    for count in counts:
        group: Group = Solo() if count == 1 else backend.one_shard(count, config.processes)
        try:
            found.append(_timed(config, group))
        except ConfigError as error:
            raise source.located(error) from error
        except (ValueError, IndexError) as error:
            raise PdehvdError(
                f"the optimizer divides work of its own over {count} processes, and one process "
                f"cannot time its part alone ({type(error).__name__})"
            ) from error
    return found


def _timed(config: Config, group: Group) -> Timed:
    """Return the times of calls on this group's shard; the first call, which compiles, is out."""
    problem = build_problem(config, group.size)
    objective = build_objective(config, problem, group)
    phases = build_phases(config, objective)
    parts = Parts(objective, phases, config.weighting, None, config.seed)
    trainer = Trainer(parts, config.training)
    state = trainer.fresh_state()
    batch = trainer.stepper.batch(state)
    steps = steps_per_call(config.training)
    advance = _advance(trainer.stepper, batch, steps)
    state = advance(state)
    before = _counted(group)
    seconds: list[float] = []
    single: list[np.ndarray] = []
    begun = time.perf_counter()
    while len(seconds) < 3 or (len(seconds) < _CALLS and time.perf_counter() - begun < _PATIENCE):
        start = time.perf_counter()
        state = advance(state)
        seconds.append((time.perf_counter() - start) / steps)
        single.append(group.single_steps() if isinstance(group, OneShard) else np.zeros(0))
    messages, size = (a - b for a, b in zip(_counted(group), before, strict=True))
    done = steps * len(seconds)
    # The stop request is reduced once a call, not once a step.
    messages = max(messages - len(seconds), 0)
    return Timed(group.size, seconds, _pace(seconds, single), messages / done, size / done)


def _pace(seconds: Sequence[float], single: Sequence[np.ndarray]) -> list[float]:
    """Return quantiles of single steps over their mean, of calls neither fast nor slow.

    A median over calls knows nothing of what happens in few of them either.
    """
    middle = np.argsort(seconds)[len(seconds) // 4 : len(seconds) - len(seconds) // 4]
    steps = np.concatenate([single[call] for call in middle])
    if not steps.size:
        return [1.0] * _QUANTILES
    found = np.quantile(steps, (np.arange(_QUANTILES) + 0.5) / _QUANTILES)
    return [float(one) for one in found / found.mean()]


def _advance(
    stepper: Stepper[Batch], batch: Batch, steps: int
) -> Callable[[TrainState], TrainState]:
    def advance(state: TrainState) -> TrainState:
        called = stepper.advance(state, batch, steps, [False, False])
        if not called.done:
            raise PdehvdError("the loss is not a number from the first step on")
        return replace(
            state, theta=called.theta, optimizer=called.optimizer, moments=called.moments
        )

    return advance


def steps_per_call(training: TrainingSpec) -> int:
    """Return the steps of a timed call: as many as in a run."""
    return max(1, min(training.steps_per_call, training.log_period(training.steps), training.steps))


def _counted(group: Group) -> tuple[int, int]:
    return group.counted() if isinstance(group, OneShard) else (0, 0)


def work(
    timed: Sequence[Timed], alone: float, weak: bool, drawn: Callable[[Sequence[float]], float]
) -> Work:
    """Return the work of a step; `drawn` makes one time of a shard's calls.

    `alone` is the step of one process in seconds.
    """
    many = [one for one in timed if one.processes > 1]
    shares = [1.0 if weak else 1 / one.processes for one in many]
    fixed, whole = fit_work(shares, [drawn(one.seconds) for one in many])
    pace = np.mean([one.pace for one in many], axis=0)
    messages = max(many[0].messages, 1.0)
    return Work(fixed, whole, tuple(pace), messages, many[0].bytes / messages, alone)


class Calibrations:
    """The times of several calibrating runs, kept in a file as long as they are of one kind.

    A sweep has one after each of its repeats, for a machine's speed drifts.
    """

    def __init__(self, file: Path, kind: str) -> None:
        self._file = file
        known = durable.read_json(file)
        self._runs: Facts = known["runs"] if known.get("kind") == kind else {}
        self._kind = kind

    def add(self, repeat: int, measured: Callable[[], dict[str, list[Timed]]]) -> None:
        """Measure for a repeat, unless that was done before."""
        if str(repeat) in self._runs:
            return
        self._runs[str(repeat)] = {
            mode: [one._asdict() for one in timed] for mode, timed in measured().items()
        }
        durable.write_json(self._file, {"kind": self._kind, "runs": self._runs})

    def merged(self) -> dict[str, list[Timed]]:
        """Return the times of all runs together, by mode."""
        runs = [
            {mode: [Timed(**one) for one in timed] for mode, timed in run.items()}
            for run in self._runs.values()
        ]
        modes = runs[0] if runs else {}
        return {
            mode: [_together(same) for same in zip(*(run[mode] for run in runs), strict=True)]
            for mode in modes
        }


def _together(timed: Sequence[Timed]) -> Timed:
    """Return the times of all, and the mean pace."""
    pace = np.mean([one.pace for one in timed], axis=0)
    seconds = [second for one in timed for second in one.seconds]
    return timed[0]._replace(seconds=seconds, pace=[float(one) for one in pace])
