"""Processes that were announced and are not there."""

import os
import socket
import subprocess
import sys
import time

import pytest

from pdehvd.errors import EnvironmentFault
from pdehvd.launch import peers, ranks

STEP = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4"}
MPIRUN = {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0"}


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    kept = {n: v for n, v in ranks.unplaced(os.environ).items() if n != ranks.OWN}
    monkeypatch.setattr(os, "environ", kept)
    monkeypatch.setattr(peers.mpi_library, "needs_pmix", lambda: False)


@pytest.fixture
def closed():
    """Return a port at which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def other():
    """Start a process with these variables."""
    started = []

    def start(**variables):
        command = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
        started.append(subprocess.Popen(command, env={**os.environ, **variables}))

    yield start
    for child in started:
        child.kill()
        child.wait()


@pytest.mark.parametrize(
    "left",
    [
        {**STEP, "SLURM_PROCID": "0", "SLURM_LOCALID": "0"},
        {"PMI_SIZE": "4"},
        {"PMI_SIZE": "4", "PMI_RANK": "0"},
        {"OMPI_COMM_WORLD_SIZE": "4"},
        MPIRUN,
        {"HOROVOD_SIZE": "2"},
        {"HOROVOD_SIZE": "2", "HOROVOD_RANK": "0"},
    ],
    ids=lambda left: "-".join(left),
)
def test_what_is_left_over_is_told_in_one_sentence(left):
    os.environ |= left
    before = time.monotonic()
    with pytest.raises(EnvironmentFault) as raised:
        peers.await_peers(seconds=1.0)
    assert time.monotonic() - before < 10
    told = str(raised.value)
    assert "\n" not in told and "this one is alone" in told and "srun -n" in told
    (size,) = [name for name in left if name.endswith(("SIZE", "NUM_TASKS"))]
    assert f"{size}={left[size]} says" in told and f"unset {size} and start" in told


def test_a_launcher_that_is_gone_does_not_answer(closed):
    os.environ |= {**MPIRUN, "PMIX_SERVER_URI2": f"1.0;tcp4://127.0.0.1:{closed}"}
    with pytest.raises(EnvironmentFault, match="OMPI_COMM_WORLD_SIZE=4"):
        peers.await_peers(seconds=1.0)


def test_a_rendezvous_that_is_gone_does_not_answer(closed):
    os.environ |= {
        "HOROVOD_SIZE": "2",
        "HOROVOD_RANK": "0",
        "HOROVOD_CONTROLLER": "gloo",
        "HOROVOD_GLOO_RENDEZVOUS_ADDR": "127.0.0.1",
        "HOROVOD_GLOO_RENDEZVOUS_PORT": str(closed),
    }
    with pytest.raises(EnvironmentFault, match="HOROVOD_SIZE=2"):
        peers.await_peers(seconds=1.0)


def test_a_launcher_that_answers_is_enough():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        os.environ |= {**MPIRUN, "PMIX_SERVER_URI2": f"1.0;tcp4://127.0.0.1:{port}"}
        peers.await_peers(seconds=0.0)


def test_another_task_of_the_step_is_company(other):
    os.environ |= {**STEP, "SLURM_PROCID": "0"}
    other(SLURM_PROCID="2")
    peers.await_peers(seconds=20.0)


def test_tasks_of_another_step_and_own_children_are_none(other):
    os.environ |= {**STEP, "SLURM_PROCID": "0"}
    other(SLURM_PROCID="2", SLURM_STEP_ID="1")
    other()
    with pytest.raises(EnvironmentFault, match="SLURM_STEP_NUM_TASKS=4"):
        peers.await_peers(seconds=1.0)


def test_where_each_node_has_one_task_nobody_can_be_seen():
    os.environ |= {**STEP, "SLURM_PROCID": "0", "SLURM_STEP_TASKS_PER_NODE": "1(x4)"}
    peers.await_peers(seconds=0.0)


@pytest.mark.parametrize("contact", ["PMI_FD", "PMI_PORT"])
def test_a_launcher_of_other_machines_cannot_be_seen_either(contact):
    os.environ |= {"PMI_SIZE": "4", "PMI_RANK": "0", contact: "5"}
    peers.await_peers(seconds=0.0)
    os.environ["MPI_LOCALNRANKS"] = "4"
    with pytest.raises(EnvironmentFault, match="PMI_SIZE=4"):
        peers.await_peers(seconds=0.0)


@pytest.mark.parametrize(
    "left",
    [
        {"PMI_SIZE": "4", "PMI_RANK": "0", "PMI_FD": "9"},
        {"PMI_SIZE": "4", "PMI_RANK": "0", "PMI_PORT": "node7:35001"},
        {**STEP, "SLURM_PROCID": "0", "SLURM_STEP_TASKS_PER_NODE": "1(x4)"},
    ],
    ids=["PMI_FD", "PMI_PORT", "nodes"],
)
def test_open_mpi_needs_pmix_to_reach_what_cannot_be_seen(monkeypatch, left):
    os.environ |= left
    monkeypatch.setattr(peers.mpi_library, "needs_pmix", lambda: True)
    with pytest.raises(EnvironmentFault, match="through PMIx, and there is none") as raised:
        peers.await_peers(seconds=0.0)
    (size,) = [name for name in left if name.endswith(("SIZE", "NUM_TASKS"))]
    assert "\n" not in str(raised.value) and f"unset {size} and start" in str(raised.value)
    # Somebody may answer there; only MPI can tell.
    os.environ["PMIX_SERVER_URI2"] = "1.0;unknown"
    peers.await_peers(seconds=0.0)


def test_a_number_of_pmix_alone_is_no_contact():
    os.environ |= {**STEP, "SLURM_PROCID": "0", "PMIX_RANK": "0"}
    with pytest.raises(EnvironmentFault, match="SLURM_STEP_NUM_TASKS=4"):
        peers.await_peers(seconds=0.0)


def test_one_process_and_our_own_are_never_asked():
    os.environ["SLURM_STEP_NUM_TASKS"] = "1"
    peers.await_peers(seconds=0.0)
    os.environ |= {**MPIRUN, ranks.OWN: "0"}
    peers.await_peers(seconds=0.0)
