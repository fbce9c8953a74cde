"""What the MPI library is asked, without joining anybody."""

import os
from pathlib import Path

import pytest

from pdehvd.errors import EnvironmentFault
from pdehvd.launch import job, mpi_library, ranks
from pdehvd.launch.commands import TrainCommand
from pdehvd.launch.processes_spec import ElasticSpec, ProcessesSpec


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    kept = {n: v for n, v in ranks.unplaced(os.environ).items() if not n.startswith("OMPI_MCA_")}
    monkeypatch.setattr(os, "environ", kept)


def test_which_library_understands_pmix_alone(monkeypatch):
    said = {"-c": "Open MPI v4.1.8", "--parsable": "mca:btl:self:1\nmca:pmix:pmix3x:1\n"}
    monkeypatch.setattr(mpi_library, "_output_of", lambda command, _: said[command[1]])
    assert mpi_library.needs_pmix()
    said["--parsable"] += "mca:pmix:s2:1\n"
    assert not mpi_library.needs_pmix()
    said |= {"-c": "MPICH Version: 4.2", "--parsable": "mca:pmix:pmix3x:1"}
    assert not mpi_library.needs_pmix()


def test_no_library_is_no_reason_to_refuse(monkeypatch):
    monkeypatch.setattr(mpi_library, "_output_of", lambda command, _: "")
    assert not mpi_library.needs_pmix()


def test_the_library_here_is_known():
    assert "Open MPI" in mpi_library._output_of(
        [mpi_library.sys.executable, "-c", mpi_library._VERSION], os.environ
    )


@pytest.mark.parametrize("name, value", [("plm", "slurm"), ("pml", "nosuch")])
def test_a_setting_that_lets_nothing_start_is_named(name, value):
    os.environ |= {f"OMPI_MCA_{name}": value, "OMPI_MCA_btl_tcp_links": "2"}
    with pytest.raises(EnvironmentFault) as raised:
        mpi_library.check_settings(ProcessesSpec())
    told = str(raised.value)
    assert f"OMPI_MCA_{name}={value}," in told and told.endswith(f"unset OMPI_MCA_{name}")


def test_settings_that_do_no_harm_pass():
    os.environ |= {"OMPI_MCA_btl_tcp_links": "2", "OMPI_MCA_btl": "self,vader"}
    mpi_library.check_settings(ProcessesSpec())


def test_without_settings_nothing_is_started(monkeypatch):
    monkeypatch.setattr(mpi_library, "mpirun_command", None)
    mpi_library.check_settings(ProcessesSpec())


@pytest.mark.parametrize("granted", ["localhost:2", "node1:2"])
def test_an_elastic_job_tries_the_settings_before_it_starts(granted, tmp_path, monkeypatch):
    os.environ |= {"OMPI_MCA_pml": "nosuch"}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts").write_text(granted)
    spec = ElasticSpec(max=2, discovery="hosts").asking(tmp_path, None)
    with pytest.raises(EnvironmentFault, match="unset OMPI_MCA_pml"):
        job.launch(TrainCommand(Path("a.yaml")), ProcessesSpec(elastic=spec), 2)
