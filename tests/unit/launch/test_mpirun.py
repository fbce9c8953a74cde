from pathlib import Path

import pytest

from pdehvd.errors import EnvironmentFault
from pdehvd.launch import job, mpirun
from pdehvd.launch.commands import TrainCommand
from pdehvd.launch.processes_spec import ProcessesSpec


def test_mpirun_leaves_cores_and_batch_systems_to_us():
    command = mpirun.mpirun_command(["train"], ProcessesSpec(), 2)
    assert command[command.index("--bind-to") + 1] == "none" and "--oversubscribe" in command
    settings = mpirun.launch_environment({"SLURM_JOB_ID": "7"})
    assert settings["OMPI_MCA_plm"] == "isolated" and "slurm" in settings["OMPI_MCA_ras"]
    assert settings["SLURM_JOB_ID"] == "7"
    # Where an elastic job has other machines, SLURM may start its daemons.
    assert "OMPI_MCA_plm" not in mpirun.launch_environment({}, closed=False)


def test_a_launch_stays_on_this_host():
    settings = mpirun.launch_environment({"HOME": "here"})
    assert settings["OMPI_MCA_oob_tcp_if_include"] == "lo"
    assert settings["OMPI_MCA_btl"] == "self,vader"
    assert Path(settings["LD_PRELOAD"]).name.startswith("loopback-")
    assert settings["HOME"] == "here" and settings["OMP_NUM_THREADS"] == "1"


def test_the_users_own_settings_win():
    assert mpirun.launch_environment({"OMPI_MCA_btl": "tcp,self"})["OMPI_MCA_btl"] == "tcp,self"
    assert "LD_PRELOAD" not in mpirun.launch_environment({"OMPI_MCA_oob_tcp_if_include": "eth0"})
    first = mpirun.launch_environment({"LD_PRELOAD": "/lib/malloc.so"})
    again = mpirun.launch_environment(first)
    assert again["LD_PRELOAD"] == first["LD_PRELOAD"]
    assert again["LD_PRELOAD"].endswith(".so:/lib/malloc.so")


def test_ranks_ask_for_large_pages_unless_the_user_says_otherwise():
    assert mpirun.launch_environment({})["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=1"
    own = {"GLIBC_TUNABLES": "glibc.malloc.arena_max=1"}
    settings = mpirun.launch_environment(own, closed=False)
    assert settings["GLIBC_TUNABLES"] == own["GLIBC_TUNABLES"]
    assert "GLIBC_TUNABLES" in settings["OMPI_MCA_mca_base_env_list"].split(";")


def test_missing_mpirun_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(mpirun.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="mpirun was not found"):
        mpirun.mpirun_command(["train"], ProcessesSpec(), 2)


def test_exit_code_of_the_processes_is_returned(monkeypatch, tmp_path):
    fake = tmp_path / "mpirun"
    fake.write_text("#!/bin/sh\nexit 4\n")
    fake.chmod(0o755)
    monkeypatch.setattr(mpirun, "find_mpirun", lambda: str(fake))
    assert job.launch(TrainCommand(Path("a.yaml")), ProcessesSpec(), 2) == 4


def test_open_mpi_gets_a_home_where_there_is_none(monkeypatch):
    monkeypatch.setattr(mpirun.caches, "home", lambda: None)
    assert mpirun.launch_environment({})["HOME"] == "/"
    monkeypatch.setattr(mpirun.caches, "home", lambda: Path("/home/me"))
    assert "HOME" not in mpirun.launch_environment({})
