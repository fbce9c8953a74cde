"""Runs that die and are resumed, one after another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from pdehvd.launch.mpirun import launch_environment, mpirun_command
from pdehvd.launch.processes_spec import ProcessesSpec
from scripts.torture.cases import Case
from scripts.torture.judge import Result, damage, judge

HERE = Path(__file__).resolve().parent
_MARK = "PDEHVD_TORTURE_FOLDER"
_PATIENCE = 300.0
_LEAVING = 15.0


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a run."""
    variables = launch_environment(os.environ)
    bin_ = Path(sys.executable).parent
    variables |= {"PATH": f"{bin_}:{os.environ['PATH']}", "PYTHONPATH": str(HERE.parents[1])}
    return variables | {_MARK: str(folder)}


def command(launcher: str, np: int, arguments: list[str]) -> list[str]:
    """Return how a launcher starts `np` processes of a training."""
    program = [sys.executable, "-m", "pdehvd"]
    train = ["train", str(HERE / "torture.yaml"), *arguments]
    for plugin in ("plugin.py", "haste.py"):
        train += ["--plugin", str(HERE / plugin)]
    if launcher == "pdehvd":
        return [*program, *train, "--np", str(np)]
    if launcher == "mpirun":
        return mpirun_command(train, ProcessesSpec(threads=1, bind=False), np)
    hosts = ["-np", str(np), "-H", f"localhost:{np}"]
    return [str(Path(sys.executable).with_name("horovodrun")), "--gloo", *hosts, *program, *train]


def strays(folder: Path) -> list[psutil.Process]:
    """Return the processes that still run for a case."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = process.environ().get(_MARK) == str(folder)
            if mine and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def disturbed(result: Result, folder: Path, aggregation: str) -> None:
    """Run a case until all its processes are gone."""
    case = result.case
    callbacks = json.dumps([case.death(folder)])
    arguments = ["--set", f"aggregation={aggregation}", "--set", f"callbacks={callbacks}"]
    arguments += ["--set", "processes.restarts=1"] if case.restarts else []
    with open(folder / "output.txt", "wb") as output:
        job = subprocess.Popen(
            command(case.launcher, 2, arguments),
            cwd=folder,
            env=environment(folder),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        (folder / "launcher").write_text(str(job.pid))
        result.code, result.ended = _end(job, folder, case)
    if not (folder / "died").exists():
        result.problems.append("nothing died")
    if result.code is None:
        result.problems.append("the job did not end")
    left = strays(folder)
    end = time.monotonic() + _LEAVING
    while left and time.monotonic() < end:
        time.sleep(0.2)
        left = strays(folder)
    if left:
        result.problems.append(f"{len(left)} processes are left")
    for process in left:
        process.kill()


def _end(job: subprocess.Popen[bytes], folder: Path, case: Case) -> tuple[int | None, float]:
    """Return the exit code and the seconds from the death to it; None where it never comes."""
    mark, died, killed = folder / "died", None, False
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        code, now = job.poll(), time.monotonic()
        if died is None and mark.exists():
            died = now
        if code is not None:
            return code, now - (died or now)
        text = mark.read_text() if died else ""
        if case.signal == "STOP" and died and now > died + 1 and text and not killed:
            os.kill(int(text), signal.SIGKILL)
            killed = True
        time.sleep(0.05)
    return None, _PATIENCE


def newest_run(folder: Path) -> Path | None:
    """Return the run directory that can be resumed, if the case got so far."""
    found = [path.parent for path in (folder / "runs").glob("torture/*/config.yaml")]
    return max(found) if found else None


def resume(result: Result, folder: Path, aggregation: str, np: int, expected: str) -> None:
    """Go on with the run of a case, unless its launcher did, and look at the outcome."""
    run = newest_run(folder)
    if result.case.damage and run:
        damage(run, result.case.damage)
    if not result.case.restarts or result.code != 0:
        arguments = ["--resume", str(run)] if run else []
        arguments += ["--set", f"aggregation={aggregation}"]
        try:
            done = subprocess.run(
                command("pdehvd", np, arguments),
                cwd=folder,
                env=environment(folder),
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            result.problems.append("resuming does not end")
            return
        if done.returncode != 0:
            result.problems.append(f"resuming failed with code {done.returncode}: {done.stderr}")
            return
    run = newest_run(folder)
    if run is None:
        result.problems.append("there is no run")
        return
    judge(result, run, expected)


def undisturbed(folder: Path, aggregation: str, np: int) -> str:
    """Return the parameters' hash of an undisturbed run."""
    folder.mkdir()
    arguments = ["--set", f"aggregation={aggregation}"]
    subprocess.run(
        command("pdehvd", np, arguments), cwd=folder, env=environment(folder), check=True
    )
    run = newest_run(folder)
    assert run is not None
    return str(json.loads((run / "summary.json").read_text())["parameters_sha256"])


def torture(cases: list[Case], folder: Path, aggregation: str) -> list[Result]:
    """Run all cases; with exact sums they resume on other numbers of processes."""
    exact = aggregation == "exact"
    expected = undisturbed(folder / "undisturbed", aggregation, 1 if exact else 2)
    results = []
    for number, case in enumerate(cases):
        place = folder / f"{number:03d}"
        place.mkdir()
        result = Result(case)
        disturbed(result, place, aggregation)
        if result.code is not None:
            resume(result, place, aggregation, (1, 3)[number % 2] if exact else 2, expected)
        results.append(result)
        said = "; ".join(result.problems) or f"resumed at {result.resumed}, same bits"
        print(f"{number + 1}/{len(cases)} {case.name}: code {result.code}, {said}", flush=True)
    return results


def strictest() -> str:
    """Return the hook that gives the same bits on any number of processes, if there is one."""
    from pdehvd.config.root import register_builtin
    from pdehvd.spec import registered

    register_builtin()
    return "exact" if "exact" in registered("aggregation") else "global_mean"
