import subprocess
from pathlib import Path

import pytest

from pdehvd.launch import mpirun, single_copy


@pytest.fixture(autouse=True)
def anew():
    single_copy.allowed.cache_clear()
    yield
    single_copy.allowed.cache_clear()


@pytest.fixture
def refused(monkeypatch):
    def read(process, start, length):
        raise PermissionError("operation not permitted")

    monkeypatch.setattr(single_copy, "_read", read)


def test_bytes_of_another_process_are_read_or_refused():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdin.write(b"x")
        other.stdin.flush()
        other.stdout.read(1)
        maps = Path(f"/proc/{other.pid}/maps").read_text().splitlines()
        stack = next(line for line in maps if line.endswith("[stack]"))
        end = int(stack.split()[0].split("-")[1], 16)
        try:
            top = single_copy._read(other.pid, end - 4096, 4096)
        except OSError:
            assert not single_copy.allowed()
        else:
            assert single_copy.allowed() and b"cat" in top


def test_a_process_that_is_gone_is_an_error():
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
        with pytest.raises(OSError, match="process"):
            single_copy._read(gone.pid, 4096, 4)


def test_where_the_kernel_refuses_messages_are_copied_twice(refused):
    assert not single_copy.allowed()
    environment = mpirun.launch_environment({})
    assert environment["OMPI_MCA_btl_vader_single_copy_mechanism"] == "none"


@pytest.mark.parametrize(("scope", "free"), [("0", True), ("1", False), ("3", False)])
def test_no_process_opens_its_memory_to_all_others(monkeypatch, tmp_path, scope, free):
    file = tmp_path / "ptrace_scope"
    file.write_text(f"{scope}\n")
    monkeypatch.setattr(single_copy, "_YAMA", file)
    monkeypatch.setattr(single_copy, "_reads_another", lambda: True)
    assert single_copy.allowed() is free


def test_other_machines_are_not_asked():
    environment = mpirun.launch_environment({}, closed=False)
    assert environment["OMPI_MCA_btl_vader_single_copy_mechanism"] == "none"
