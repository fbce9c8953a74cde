"""The job scripts: their syntax, the commands in them, and what happens when the time is up."""

import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest
import typer

from pdehvd.cli import app

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "scripts" / "slurm"
JOBS = sorted(path for path in FOLDER.glob("*.sh") if path.name != "common.sh")
LAUNCHER = """#!/bin/bash
echo "$(basename "$0") $*" > {place}/launcher
while [ "$1" != "$PDEHVD" ]; do shift; done
exec "$@"
"""
# Stands for the ranks: says what it was started with, and stops on USR1 as pdehvd does.
PROGRAM = """#!/bin/bash
printf '%s\\n' "$@" > {place}/words.new
mv {place}/words.new {place}/words
[ -n "$FINISHES" ] && exit 0
trap 'exit 130' USR1
while true; do sleep 0.05; done
"""
CONTROL = """#!/bin/bash
echo "$*" > {place}/control
"""


@pytest.fixture
def cluster(tmp_path):
    """Return a folder that stands for the submitting one, and the environment of a job."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in {
        "mpirun": LAUNCHER,
        "srun": LAUNCHER,
        "pdehvd": PROGRAM,
        "scontrol": CONTROL,
    }.items():
        (tools / name).write_text(text.format(place=tmp_path))
        (tools / name).chmod(0o755)
    return tmp_path, {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PDEHVD": str(tools / "pdehvd"),
        "PDEHVD_SLURM": str(FOLDER),
        "FINISHES": "",
        "SLURM_SUBMIT_DIR": str(tmp_path),
        "SLURM_JOB_ID": "17",
        "SLURM_NTASKS": "16",
        "SLURM_NTASKS_PER_NODE": "8",
        "SLURM_CPUS_PER_TASK": "4",
    }


def started(place, timeout=20.0):
    """Return the words of `pdehvd` once it runs."""
    until = time.monotonic() + timeout
    while not (place / "words").exists():
        assert time.monotonic() < until, "the program was not started"
        time.sleep(0.02)
    return (place / "words").read_text().splitlines()


def test_there_are_both_launchers_for_both_kinds():
    kinds = {"mpirun_cpu", "mpirun_gpu", "srun_cpu", "srun_gpu"}
    assert {path.stem for path in JOBS} == kinds


@pytest.mark.parametrize("path", [*JOBS, FOLDER / "common.sh"], ids=lambda path: path.stem)
def test_the_shell_can_read_it(path):
    done = subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_a_job_whose_time_is_up_is_requeued_and_resumes(path, cluster):
    place, variables = cluster
    job = subprocess.Popen(["bash", path, "configs/burgers.yaml"], env=variables)
    name, *words = started(place)
    with typer.main.get_command(app).commands[name].make_context(name, list(words)):
        pass
    assert (place / "launcher").read_text().startswith(path.stem.split("_")[0])
    assert words[0] == "configs/burgers.yaml" and "--resume" not in words
    assert "processes.threads=4" in words and "runs/slurm-17" in words
    # The program needs a moment to set its trap; SLURM's signal comes minutes after the start.
    time.sleep(0.3)
    job.send_signal(signal.SIGUSR1)
    assert job.wait(20) == 130
    assert (place / "control").read_text() == "requeue 17\n"
    (place / "runs/slurm-17/latest/checkpoints/step-00000100").mkdir(parents=True)
    (place / "words").unlink()
    (place / "control").unlink()
    again = subprocess.run(
        ["bash", path, "configs/burgers.yaml"], env={**variables, "FINISHES": "1"}, check=False
    )
    assert again.returncode == 0 and not (place / "control").exists()
    resumed = started(place)
    assert resumed[resumed.index("--resume") + 1] == "runs/slurm-17/latest"


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_the_allocation_asks_for_a_signal_and_a_requeue(path):
    text = path.read_text()
    options = re.findall(r"^#SBATCH (.*)$", text, re.MULTILINE)
    assert "--requeue" in options and "--signal=B:USR1@180" in options
    assert any(one.startswith("--gpus-per-node") for one in options) == ("gpu" in path.stem)
    usage = next(line for line in text.splitlines() if line.startswith("#   sbatch"))
    config = shlex.split(usage)[-1]
    assert (ROOT / config).is_file()
