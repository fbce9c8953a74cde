"""What is called in TensorFlow's library by the names of compiled C++, and what is said without.

These tests fail at the first start with a version of TensorFlow that has other names.
"""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import tensorflow as tf

from pdehvd.comm import backend, xla_calls, xla_registry
from pdehvd.launch import peers, ranks
from pdehvd.launch.processes_spec import ProcessesSpec


@pytest.fixture
def afresh():
    """Look at the library again, before and after."""
    xla_registry.complaint.cache_clear()
    yield
    xla_registry.complaint.cache_clear()


@pytest.mark.parametrize("name", xla_registry.FUNCTIONS, ids=xla_registry.FUNCTIONS.get)
def test_the_installed_tensorflow_exports_the_function(name):
    assert xla_registry.address(name).value, f"TensorFlow {tf.__version__} lacks {name}"


@pytest.mark.skipif(shutil.which("nm") is None, reason="binutils are not installed")
def test_the_built_library_needs_nothing_else_of_tensorflow():
    """All that it does not define are names of MPI, of C and of the C++ library."""
    command = ["nm", "-D", "--undefined-only", str(xla_calls.calls_library())]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names = {line.split()[-1] for line in listed.splitlines()}
    assert any(name.startswith("MPI_") for name in names)
    known = re.compile(
        r"(MPI_|ompi_|_ITM_|__gmon_start__|_Unwind_Resume)|.*@(GLIBC|GLIBCXX|CXXABI)_"
    )
    assert [name for name in names if not known.match(name)] == []


@pytest.mark.skipif(shutil.which("c++filt") is None, reason="binutils are not installed")
def test_the_names_are_those_of_the_functions_that_messages_name():
    string = (
        "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > const&"
    )
    for name, told in xla_registry.FUNCTIONS.items():
        text = subprocess.run(["c++filt", name], capture_output=True, text=True).stdout.strip()
        assert text.replace(string, "const std::string&") == told


def test_nothing_is_said_where_nothing_is_missing(afresh):
    assert xla_registry.complaint() == ""


def test_what_is_missing_is_named_with_the_version_and_the_way_that_is_left(afresh, monkeypatch):
    lost = {"_ZN3xla4GoneEv": "xla::Gone()"}
    monkeypatch.setattr(xla_registry, "FUNCTIONS", lost)
    text = xla_registry.complaint()
    assert f"TensorFlow {tf.__version__} does not export xla::Gone()" in text
    assert "Horovod" in text and "slower" in text


def test_asking_for_mpi_says_what_is_missing(afresh, monkeypatch):
    monkeypatch.setattr(xla_registry, "FUNCTIONS", {"_ZN3xla4GoneEv": "xla::Gone()"})
    monkeypatch.setattr(ranks, "world_size", lambda: 2)
    monkeypatch.setattr(ranks, "starts_mpi", lambda: True)
    monkeypatch.setattr(peers, "await_peers", lambda: None)
    monkeypatch.setattr(backend, "_mpi", lambda grid: None)
    with pytest.raises(backend.EnvironmentFault, match=r"does not export xla::Gone\(\)"):
        backend.group(ProcessesSpec(collectives="mpi"))
