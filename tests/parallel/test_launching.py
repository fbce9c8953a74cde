"""Launches from odd shells: inside a mask, inside a step of SLURM, inside another mpirun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pdehvd.launch.mpirun import find_mpirun
from tests.support.launcher import CONFIGS, environment, pdehvd

TINY = str(CONFIGS / "tiny.yaml")
SHORT = ("--set", "training.steps=10")
STEP = {
    "SLURM_JOB_ID": "7",
    "SLURM_JOBID": "7",
    "SLURM_NODELIST": "elsewhere",
    "SLURM_STEP_ID": "0",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
}


def places(mask: set[int], folder: Path) -> list[dict]:
    command = [sys.executable, "-m", "tests.support.worker_place", ",".join(map(str, sorted(mask)))]
    done = subprocess.run(
        command, env=environment(), cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(path.read_text()) for path in sorted(folder.glob("place_*.json"))]


def test_ranks_stay_in_the_mask_of_their_launcher_each_on_a_core(tmp_path):
    mine = sorted(os.sched_getaffinity(0))[-2:]
    first, second = places(set(mine), tmp_path)
    assert [first["together"], second["together"]] == [len(mine)] * 2
    assert first["threads"] == second["threads"] == 1
    expected = [[[mine[0]]], [[mine[-1]]]]
    assert [first["masks"], second["masks"]] == expected


def test_more_ranks_than_cores_of_the_mask_share_them(tmp_path):
    last = max(os.sched_getaffinity(0))
    for one in places({last}, tmp_path):
        assert one["masks"] == [[last]] and one["threads"] == one["together"] == 1


def trained(folder: Path) -> dict:
    (summary,) = folder.glob("runs/tiny/*/summary.json")
    return json.loads(summary.read_text())


def test_a_step_of_one_task_starts_what_the_file_says(tmp_path):
    """As in the shell of `srun --pty bash`; SLURM itself is not there, and must not be asked."""
    one = {"SLURM_STEP_NUM_TASKS": "1", "PMI_SIZE": "1", "PMI_RANK": "0", "HOROVOD_SIZE": "1"}
    done = pdehvd("train", TINY, *SHORT, "--set", "processes.np=2", cwd=tmp_path, **STEP, **one)
    assert done.returncode == 0, done.stderr
    assert trained(tmp_path)["processes"] == 2


def test_an_mpirun_of_one_process_may_start_more(tmp_path):
    command = [find_mpirun(), "-np", "1", sys.executable, "-m", "pdehvd", "train", TINY, *SHORT]
    done = subprocess.run(
        [*command, "--np", "2"],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert trained(tmp_path)["processes"] == 2


@pytest.mark.parametrize(
    "announced",
    [{**STEP, "SLURM_STEP_NUM_TASKS": "4"}, {"OMPI_COMM_WORLD_SIZE": "4"}, {"PMI_SIZE": "4"}],
    ids=lambda announced: list(announced)[-1],
)
def test_announced_processes_that_are_not_there(announced, tmp_path):
    before = time.monotonic()
    done = pdehvd("train", TINY, *SHORT, cwd=tmp_path, **announced)
    assert done.returncode == 3, done.stdout + done.stderr
    (sentence,) = done.stderr.splitlines()
    name = list(announced)[-1]
    assert sentence.startswith(f"{name}=4 says") and f"unset {name}" in sentence
    assert list(tmp_path.iterdir()) == [] and done.stdout == ""
    # MPI would wait for as long as nobody stops it.
    assert time.monotonic() - before < 120
