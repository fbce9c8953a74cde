"""`pdehvd scale`: the same config on several numbers of processes, run by run."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pdehvd.assembly import environment_record
from pdehvd.assembly import run_directory as folder
from pdehvd.errors import ConfigError, PdehvdError, counted
from pdehvd.launch import job, mpirun, ranks
from pdehvd.launch.commands import TrainCommand
from pdehvd.launch.processes_spec import ProcessesSpec
from pdehvd.launch.threads import check_cores
from pdehvd.spec.plain import Facts
from pdehvd.training import durable, history

FILE = "scaling.json"
MODES = ("weak", "strong")
# Where the config trains longer, a sweep does no more steps than this unless it is asked to.
STEPS = 200
_ROWS, _LOOKS = 8, 4


class Case(NamedTuple):
    """One run. One process is weak and strong scaling alike, and runs once for both."""

    mode: str
    processes: int
    repeat: int

    @property
    def name(self) -> str:
        return f"{self.mode}-{self.processes}-{self.repeat}"


@dataclass(frozen=True)
class Sweep:
    """What to run: a config with settings, and how often on how many processes."""

    config: Path
    settings: tuple[str, ...]
    plugins: tuple[Path, ...]
    counts: tuple[int, ...]
    modes: tuple[str, ...]
    repeats: int
    steps: int

    def cases(self) -> list[Case]:
        """Return all runs; every repeat goes through all counts, so that drift is shared."""
        found = []
        for repeat in range(1, self.repeats + 1):
            for processes in self.counts:
                modes = ("strong",) if processes == 1 else self.modes
                found += [Case(mode, processes, repeat) for mode in modes]
        return found

    def command(self, case: Case, output: Path) -> TrainCommand:
        """Return the command of a run: one thread a process, timed, no early end, no pictures."""
        every = max(1, self.steps // _ROWS)
        settings = (
            *self.settings,
            f"scaling.mode={case.mode}",
            "processes.threads=1",
            "processes.profile=true",
            f"training.steps={self.steps}",
            f"training.log_every={every}",
            f"training.checkpoint_every={self.steps}",
            f"training.evaluate_every={max(1, self.steps // _LOOKS)}",
            "training.stop_at=null",
            "training.early_stopping=null",
            "training.report=false",
        )
        return TrainCommand(
            self.config, settings=settings, plugins=self.plugins, output=output, quiet=True
        )

    def fingerprint(self, resolved: str) -> str:
        """Return what two sweeps must share for their runs to be of one kind."""
        return hashlib.sha256(f"{resolved}\n{self.steps}".encode()).hexdigest()


def check_counts(counts: Sequence[int], processes: ProcessesSpec, available: float) -> None:
    """Raise `ConfigError` for counts that this machine cannot start."""
    if ranks.was_launched():
        raise ConfigError(
            "scale starts the processes itself", (), "no mpirun, horovodrun or srun around it"
        )
    most = max(counts)
    check_cores(processes.model_copy(update={"threads": 1}), most)
    fitting = int(available / mpirun.PROCESS_BYTES)
    if most > fitting:
        raise ConfigError(
            f"--np {most}: so many processes need about {most * mpirun.PROCESS_BYTES / 2**30:.0f} "
            f"GiB of memory, and {available / 2**30:.1f} GiB are free",
            (),
            f"at most {fitting} on this machine",
        )


def stored(place: Path, fingerprint: str) -> list[Facts]:
    """Return the runs that a folder holds already; it must hold those of the same config."""
    known = durable.read_json(place / FILE)
    if known and known.get("fingerprint") != fingerprint:
        raise ConfigError(
            f"{place} holds a sweep of another config or number of steps", (), "another --output"
        )
    return list(known.get("runs", []))


def run(
    sweep: Sweep,
    place: Path,
    resolved: str,
    say: Callable[[str], None],
    after: Callable[[int], None],
) -> tuple[list[Facts], int]:
    """Do the runs that are missing in a folder; return all runs, and the exit code.

    Every finished run is written to scaling.json at once, so an interrupted sweep continues there.
    `after` is called with the number of each repeat at its end.
    Raises `PdehvdError` where a run fails.
    """
    fingerprint = sweep.fingerprint(resolved)
    runs = stored(place, fingerprint)
    place.mkdir(parents=True, exist_ok=True)
    cases = sweep.cases()
    done = {Case(r["mode"], r["processes"], r["repeat"]) for r in runs}
    for number, case in enumerate(cases, 1):
        start = f"[{number}/{len(cases)}] {label(case)}"
        if case in done:
            say(f"{start}: already done")
        else:
            say(f"{start} ...")
            found, code = _one(sweep, case, place)
            if code in job.STOPPED:
                say("interrupted; the same command continues from here")
                return runs, job.INTERRUPTED
            if found is None:
                raise _failure(case, code)
            runs.append(found)
            content = {"fingerprint": fingerprint, "environment": _environment(sweep), "runs": runs}
            durable.write_json(place / FILE, content)
            say(f"  {found['step'] * 1e3:.3g} ms per step")
        if number == len(cases) or cases[number].repeat > case.repeat:
            after(case.repeat)
    wanted = set(cases)
    return [r for r in runs if Case(r["mode"], r["processes"], r["repeat"]) in wanted], 0


def label(case: Case) -> str:
    """Return a case in words."""
    if case.processes == 1:
        return f"1 process, run {case.repeat}"
    return f"{case.mode}, {counted(case.processes, 'process')}, run {case.repeat}"


def _environment(sweep: Sweep) -> Facts:
    return environment_record.environment(max(sweep.counts), 1)


def _failure(case: Case, code: int) -> PdehvdError:
    error = PdehvdError(f"the run '{label(case)}' ended with exit code {code}")
    error.exit_code = code
    return error


def _one(sweep: Sweep, case: Case, place: Path) -> tuple[Facts | None, int]:
    """Do one run and return what it says of itself; None where it did not end well."""
    output = place / "runs" / case.name
    code = job.launch(sweep.command(case, output), ProcessesSpec(threads=1), case.processes)
    if code:
        return None, code
    files = sorted(output.rglob(folder.SUMMARY), key=lambda file: file.stat().st_mtime)
    return record(case, files[-1].parent, place), 0


def record(case: Case, run_folder: Path, place: Path) -> Facts:
    """Return what a sweep keeps of a run: its profile, its error over time."""
    summary = json.loads((run_folder / folder.SUMMARY).read_text(encoding="utf-8"))
    profile = summary["profile"]
    rows = history.read(run_folder)
    errors = [name for name in rows.columns if name.startswith("relative_l2/")]
    looked = rows[rows[errors].notna().all(axis=1)] if errors else rows[:0]
    curve = [
        [int(step), float(seconds), float(error)]
        for step, seconds, error in zip(
            looked["step"],
            looked.get("seconds", []),
            looked[errors].max(axis=1) if errors else [],
            strict=True,
        )
    ]
    calls = [one for one in profile["calls"] if one is not None]
    return {
        **case._asdict(),
        "step": statistics.median(calls) if calls else summary["seconds_per_step"],
        **{name: profile[name] for name in ("computing", "communication", "waiting", "straggler")},
        "memory_mib": max(profile["memory_mib"]),
        "points": summary["points"],
        "parameters": summary["parameters"],
        "steps": summary["steps"],
        "loss": summary["loss"],
        "curve": curve,
        "run": str(run_folder.relative_to(place)),
    }
