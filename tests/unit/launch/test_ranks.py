import os

import pytest

from pdehvd.comm import backend
from pdehvd.comm.group import Solo
from pdehvd.launch import ranks
from pdehvd.launch.processes_spec import ProcessesSpec


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    kept = {n: v for n, v in ranks.unplaced(os.environ).items() if n != ranks.OWN}
    monkeypatch.setattr(os, "environ", kept)


def test_without_a_launcher_there_is_one_process():
    assert not ranks.was_launched() and ranks.world_size() == 1 and ranks.world_rank() == 0
    assert ranks.local_size() == 1 and ranks.starter() == os.getpid()
    assert isinstance(backend.group(ProcessesSpec()), Solo)


@pytest.mark.parametrize("launcher", ranks.LAUNCHERS, ids=lambda one: one.name)
def test_launchers_are_recognised(launcher):
    os.environ |= {launcher.size: "4", launcher.rank: "3", launcher.local_rank: "1"}
    assert ranks.was_launched() and ranks.world_size() == 4 and ranks.world_rank() == 3
    assert ranks.local_rank() == 1 and ranks.local_size() == 4
    assert ranks.announcing() == launcher.size
    assert not set(ranks.unplaced(os.environ)) & set(launcher.variables)


@pytest.mark.parametrize("launcher", ranks.LAUNCHERS, ids=lambda one: one.name)
def test_a_launcher_of_one_process_is_none_unless_it_is_ours(launcher):
    os.environ |= {launcher.size: "1", launcher.rank: "0"}
    assert not ranks.was_launched() and ranks.world_rank() == 0
    os.environ[ranks.OWN] = "0"
    assert ranks.was_launched() and ranks.world_size() == 1


def test_of_two_launchers_the_inner_one_counts():
    os.environ |= {"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5"}
    os.environ |= {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"}
    assert (ranks.world_size(), ranks.world_rank()) == (2, 1)
    assert ranks.announcing() == "OMPI_COMM_WORLD_SIZE SLURM_STEP_NUM_TASKS"


def test_a_batch_script_alone_is_no_launcher():
    os.environ |= {"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}
    assert not ranks.was_launched()


@pytest.mark.parametrize("value", ["", "x", "-4", "\u0664", "1.5"])
def test_what_is_no_number_announces_nobody(value):
    os.environ["PMI_SIZE"] = value
    assert not ranks.was_launched()


@pytest.mark.parametrize(("node", "here"), [("0", 4), ("1", 4), ("2", 3), ("3", 11)])
def test_slurm_lists_its_tasks_by_node(node, here):
    os.environ |= {"SLURM_STEP_NUM_TASKS": "11", "SLURM_PROCID": "0", "SLURM_NODEID": node}
    os.environ["SLURM_STEP_TASKS_PER_NODE"] = "4(x2),3"
    assert ranks.local_size() == here


def test_slurm_also_says_it_for_pmi():
    os.environ |= {"PMI_SIZE": "6", "PMI_RANK": "5", "SLURM_NODEID": "1"}
    assert ranks.known_here() is None and ranks.local_size() == 6
    os.environ["SLURM_STEP_TASKS_PER_NODE"] = "4,2"
    assert ranks.known_here() == ranks.local_size() == 2
    os.environ["SLURM_STEP_NUM_NODES"] = "1"
    assert ranks.known_here() == 6


def test_settings_of_the_user_stay_when_the_place_is_forgotten():
    user = {
        "OMPI_MCA_btl": "tcp,self",
        "OMPI_MCA_orte_tmpdir_base": "/scratch",
        "PMIX_MCA_gds": "hash",
        "HOROVOD_CYCLE_TIME": "1",
        "HOROVOD_CONTROLLER": "mpi",
        "SLURM_JOB_ID": "7",
    }
    told = {
        "OMPI_MCA_ess": "^singleton",
        "OMPI_MCA_orte_hnp_uri": "1.0;tcp://127.0.0.1:1",
        "PMIX_RANK": "0",
        "PMIX_SERVER_URI2": "1.0;tcp4://127.0.0.1:1",
        "PMI_FD": "5",
        "HOROVOD_GLOO_RENDEZVOUS_ADDR": "127.0.0.1",
        "SLURM_STEP_ID": "0",
    }
    assert ranks.unplaced({**user, **told}) == user
    assert ranks.unplaced({"HOROVOD_CONTROLLER": "gloo"}) == {}
