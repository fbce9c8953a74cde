"""A rank that does not come is named, with the line and the collective, over MPI and over Gloo."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pdehvd.launch.rendezvous import launch_gloo
from tests.support.launcher import ROOT, run_worker


def test_over_mpi_one_rank_of_a_grid_keeps_three_waiting(tmp_path: Path) -> None:
    done = run_worker(4, "1x1x2x2", Path("1"), worker="worker_stall")
    assert done.returncode != 0
    output = done.stderr
    assert "no progress for" in output and "after step 2" in output
    assert (
        "line space (ranks 0 and 1): rank 0 waits in exchange, the 4th collective there, " in output
    )
    assert "in which rank 1 is missing" in output
    assert "line data (ranks 1 and 3): rank 3 waits in sum, the 4th collective there, " in output
    assert "\nrank 1 keeps the others waiting" in output
    assert "in main" in output


def test_over_gloo_a_rank_that_sleeps_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    words = ["env", "COLLECTIVES=horovod", f"PYTHONPATH={ROOT}", sys.executable, "-m"]
    code = launch_gloo([*words, "tests.support.worker_stall", "1x1x1x2", "0"], 2)
    assert code != 0
    output = capfd.readouterr().err
    assert "line all (ranks 0 and 1): rank 1 waits in alltoall.halo, the " in output
    assert "in which rank 0 is missing" in output
    assert "\nrank 0 keeps the others waiting" in output
