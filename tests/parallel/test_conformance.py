"""One suite for all backends: every collective, its derivatives, on every line of a grid."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pdehvd.comm.grid import Grid
from pdehvd.launch.rendezvous import launch_gloo
from tests.support.conformance import expected
from tests.support.launcher import ROOT, run_worker

# Trainers x vessels x data x space.
USUAL = [("mpi", "1x1x2x2"), ("gloo", "1x1x1x2")]
MORE = [
    *(("mpi", "1x1x1x3"), ("horovod", "1x1x1x3")),
    *(("mpi", grid) for grid in ("1x1x1x2", "1x1x1x4", "2x1x1x2", "1x2x2x1", "2x1x2x1", "4x1x1x1")),
    *(("horovod", grid) for grid in ("1x1x1x2", "1x1x2x2", "2x1x1x2", "1x2x2x1")),
    *(("gloo", grid) for grid in ("1x1x1x3", "1x1x2x2", "2x1x2x1")),
]


def report(library: str, grid: str, folder: Path) -> list[dict]:
    """Start the processes of a grid once; return what each rank reports."""
    size = Grid(*map(int, grid.split("x"))).size
    if library == "gloo":
        words = ["env", "COLLECTIVES=horovod", f"PYTHONPATH={ROOT}", sys.executable, "-m"]
        code = launch_gloo([*words, "tests.support.worker_conformance", grid, str(folder)], size)
        assert code == 0
    else:
        done = run_worker(size, grid, folder, worker="worker_conformance", collectives=library)
        assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(size)]


def check(library: str, grid: str, folder: Path) -> None:
    found = report(library, grid, folder)
    name = "horovod-gloo" if library == "gloo" else library
    assert {one["library"] for one in found} == {name}
    right = sorted(expected(Grid(*map(int, grid.split("x"))), library))
    for rank, one in enumerate(found):
        assert one["wrong"] == {}, f"rank {rank}"
        assert sorted(one["checked"]) == right


@pytest.mark.parametrize(("library", "grid"), USUAL)
def test_every_collective_is_exact(library: str, grid: str, tmp_path: Path) -> None:
    check(library, grid, tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize(("library", "grid"), MORE)
def test_every_collective_is_exact_on_other_grids(library: str, grid: str, tmp_path: Path) -> None:
    check(library, grid, tmp_path)
