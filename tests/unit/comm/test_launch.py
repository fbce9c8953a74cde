import os
import subprocess
import sys
from pathlib import Path

import pytest

from pdehvd.comm import join, launch
from pdehvd.comm.group import Solo
from pdehvd.comm.spec import ProcessesSpec
from pdehvd.errors import EnvironmentFault


@pytest.fixture
def alone(monkeypatch):
    for name in (*launch._SIZE_VARIABLES, *launch._RANK_VARIABLES, *launch._LOCAL_SIZE_VARIABLES):
        monkeypatch.delenv(name, raising=False)


def test_without_a_launcher_there_is_one_process(alone):
    assert not launch.joined() and launch.world_size() == 1 and launch.world_rank() == 0
    assert isinstance(join.group(ProcessesSpec()), Solo)


@pytest.mark.parametrize(
    ("size", "rank"), list(zip(launch._SIZE_VARIABLES, launch._RANK_VARIABLES, strict=True))
)
def test_launchers_are_recognised(alone, monkeypatch, size, rank):
    monkeypatch.setenv(size, "4")
    monkeypatch.setenv(rank, "3")
    assert launch.joined() and launch.world_size() == 4 and launch.world_rank() == 3


def test_a_batch_script_alone_is_no_launcher(alone, monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_NTASKS", "8")
    assert not launch.joined()


def test_more_processes_than_cores_are_not_bound(monkeypatch):
    monkeypatch.setattr(launch, "node_cores", lambda: 4)
    crowded = launch.mpirun_command(["train"], ProcessesSpec(), 5)
    assert "--oversubscribe" in crowded and crowded[crowded.index("--bind-to") + 1] == "none"
    roomy = launch.mpirun_command(["train"], ProcessesSpec(), 2)
    assert "--oversubscribe" not in roomy and "slot:PE=2" in roomy


def test_processes_section_is_obeyed(monkeypatch):
    monkeypatch.setattr(launch, "node_cores", lambda: 4)
    command = launch.mpirun_command(["train"], ProcessesSpec(threads=1, bind=False), 2)
    assert command[command.index("--bind-to") + 1] == "none"
    assert launch.threads_per_process(ProcessesSpec(threads=3)) == 3


def test_a_launch_stays_on_this_host():
    settings = launch.launch_environment({"HOME": "here"}, threads=1)
    assert settings["OMPI_MCA_oob_tcp_if_include"] == "lo"
    assert settings["OMPI_MCA_btl"] == "self,vader"
    assert Path(settings["LD_PRELOAD"]).name.startswith("loopback-")
    assert settings["HOME"] == "here" and settings["OMP_NUM_THREADS"] == "1"


def test_the_users_own_settings_win():
    assert launch.launch_environment({"OMPI_MCA_btl": "tcp,self"})["OMPI_MCA_btl"] == "tcp,self"
    assert "LD_PRELOAD" not in launch.launch_environment({"OMPI_MCA_oob_tcp_if_include": "eth0"})
    first = launch.launch_environment({"LD_PRELOAD": "/lib/malloc.so"})
    again = launch.launch_environment(first)
    assert again["LD_PRELOAD"] == first["LD_PRELOAD"]
    assert again["LD_PRELOAD"].endswith(".so:/lib/malloc.so")


def test_ranks_ask_for_large_pages_unless_the_user_says_otherwise():
    assert launch.launch_environment({})["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=1"
    own = {"GLIBC_TUNABLES": "glibc.malloc.arena_max=1"}
    settings = launch.launch_environment(own, closed=False)
    assert settings["GLIBC_TUNABLES"] == own["GLIBC_TUNABLES"]
    assert "GLIBC_TUNABLES" in settings["OMPI_MCA_mca_base_env_list"].split(";")


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        (None, "--xla_cpu_multi_thread_eigen=false --xla_cpu_prefer_vector_width=512"),
        ("--xla_cpu_prefer_vector_width=256", "--xla_cpu_prefer_vector_width=256"),
    ],
)
def test_images_fill_wide_registers_unless_the_user_says_otherwise(tmp_path, given, flags):
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\n"
        "from pdehvd.comm import launch\n"
        "from pdehvd.comm.spec import ProcessesSpec\n"
        "launch.configure_threads(ProcessesSpec(threads=1), images=sys.argv[1] == 'images')\n"
        "print(os.environ['XLA_FLAGS'])\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    environment |= {"XLA_FLAGS": given} if given else {}

    def told(kind):
        command = [sys.executable, str(program), kind]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    assert flags in told("images")
    assert "512" not in told("points")


def test_missing_mpirun_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(launch.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="mpirun was not found"):
        launch.mpirun_command(["train"], ProcessesSpec(), 2)


def test_exit_code_of_the_processes_is_returned(monkeypatch, tmp_path):
    fake = tmp_path / "mpirun"
    fake.write_text("#!/bin/sh\nexit 4\n")
    fake.chmod(0o755)
    monkeypatch.setattr(launch, "find_mpirun", lambda: str(fake))
    assert launch.launch(["train"], ProcessesSpec(), 2) == 4


def test_open_mpi_gets_a_home_where_there_is_none(monkeypatch):
    monkeypatch.setattr(launch.caches, "home", lambda: None)
    assert launch.launch_environment({})["HOME"] == "/"
    monkeypatch.setattr(launch.caches, "home", lambda: Path("/home/me"))
    assert "HOME" not in launch.launch_environment({})
