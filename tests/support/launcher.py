"""Starts real processes for tests: mpirun as users do, and the results that every rank saved."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from _pytest.mark import ParameterSet

from pdehvd.launch.mpirun import launch_environment, mpirun_command
from pdehvd.launch.processes_spec import ProcessesSpec

SUPPORT = Path(__file__).parent
ROOT = SUPPORT.parents[1]
CONFIGS = ROOT / "tests" / "parallel"
ONE_THREAD = ProcessesSpec(threads=1)


def nightly(*parameters: object) -> ParameterSet:
    """Return parameters for the nightly run: others find in `make test` what they do."""
    return pytest.param(*parameters, marks=pytest.mark.nightly)


def environment() -> dict[str, str]:
    """Return this environment with what a launch on this host needs."""
    return {**launch_environment(os.environ), "PYTHONPATH": str(ROOT)}


def run_worker(
    np_: int,
    scenario: str,
    folder: Path,
    *arguments: str,
    worker: str = "worker",
    collectives: str = "mpi",
) -> subprocess.CompletedProcess[str]:
    """Run a scenario of a worker on `np_` processes and return what it printed."""
    program = [sys.executable, "-m", f"tests.support.{worker}", scenario, str(folder), *arguments]
    command = program
    if np_ > 1:
        whole = mpirun_command([], ONE_THREAD, np_)
        command = [*whole[: whole.index(sys.executable)], *program]
    return subprocess.run(
        command,
        env={**environment(), "COLLECTIVES": collectives},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


class AllRanks:
    """Every rank's arrays of a scenario by the number of processes; each is run when asked for."""

    def __init__(
        self, scenario: str, make_folder: Callable[[str], Path], worker: str = "worker"
    ) -> None:
        self._scenario, self._make_folder, self._worker = scenario, make_folder, worker
        self._found: dict[int, list[dict[str, np.ndarray]]] = {}

    def __getitem__(self, size: int) -> list[dict[str, np.ndarray]]:
        if size not in self._found:
            folder = self._make_folder(f"{self._scenario}{size}")
            done = run_worker(size, self._scenario, folder, worker=self._worker)
            assert done.returncode == 0, done.stderr[-4000:]
            self._found[size] = [load(folder, rank) for rank in range(size)]
        return self._found[size]


def pdehvd(
    *arguments: str, cwd: Path, timeout: float = 300, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line program as a person would, with more variables in the environment."""
    command = [sys.executable, "-m", "pdehvd", *arguments]
    return subprocess.run(
        command,
        env={**environment(), **variables},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def load(folder: Path, rank: int = 0) -> dict[str, np.ndarray]:
    """Return the arrays that a rank of a scenario saved."""
    with np.load(folder / f"rank{rank}.npz", allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
