import pytest

from pdehvd.launch import shared_memory


@pytest.fixture
def room(monkeypatch, tmp_path):
    """Let so many MiB be free, wherever one looks."""
    usage = shared_memory.shutil.disk_usage(tmp_path)
    monkeypatch.delenv("OMPI_MCA_btl_vader_backing_directory", raising=False)

    def free(mib):
        found = usage._replace(free=mib * 2**20)
        monkeypatch.setattr(shared_memory.shutil, "disk_usage", lambda folder: found)

    return free


def test_small_shared_memory_is_told_and_left_alone(room, tmp_path):
    room(4)
    place = shared_memory.elsewhere(2, tmp_path)
    assert list(place) == ["OMPI_MCA_btl_vader_backing_directory"]
    told = shared_memory.warning(2, tmp_path)
    assert f"{tmp_path} has 4 MiB free, and 2 processes need 9" in told
    assert "--shm-size=18m" in told and place["OMPI_MCA_btl_vader_backing_directory"] in told


@pytest.mark.parametrize(("mib", "processes"), [(64, 2), (64, 15), (9, 2), (4, 1)])
def test_enough_says_nothing(room, tmp_path, mib, processes):
    room(mib)
    assert shared_memory.elsewhere(processes, tmp_path) == {}
    assert shared_memory.warning(processes, tmp_path) == ""


def test_the_usual_size_of_a_container_holds_fifteen(room, tmp_path):
    room(64)
    assert shared_memory.warning(16, tmp_path)


def test_a_choice_of_the_user_stays(room, tmp_path, monkeypatch):
    room(4)
    monkeypatch.setenv("OMPI_MCA_btl_vader_backing_directory", "/scratch")
    assert shared_memory.elsewhere(2, tmp_path) == {}


def test_without_the_folder_open_mpi_finds_its_own_place(tmp_path):
    assert shared_memory.free(tmp_path / "none") is None
    assert shared_memory.elsewhere(2, tmp_path / "none") == {}
