import os
import subprocess
import sys

import pytest

from pdehvd.comm import threads
from pdehvd.comm.spec import ElasticSpec, ProcessesSpec
from pdehvd.errors import ConfigError


def test_threads_are_those_of_the_config_or_a_share_of_the_cores(monkeypatch):
    assert threads.threads_per_process(ProcessesSpec(threads=3)) == 3
    monkeypatch.setattr(threads, "node_cores", lambda: 12)
    monkeypatch.setattr(threads.cores, "count", lambda: 8)
    for here, share in ((1, 8), (3, 4), (24, 1)):
        monkeypatch.setattr(threads.ranks, "local_size", lambda here=here: here)
        assert threads.threads_per_process(ProcessesSpec()) == share


@pytest.mark.parametrize(
    ("section", "np", "told"),
    [
        ({"bind": True}, 4, "processes.bind: 4 processes need 4 cores, and 2 may be used here"),
        ({"bind": True, "threads": 2}, 2, "2 processes of 2 threads need 4 cores"),
        ({"oversubscribe": False}, 3, "processes.oversubscribe: 3 processes need 3 cores"),
        ({"oversubscribe": False, "threads": 8}, 1, "1 process of 8 threads need 8 cores"),
    ],
)
def test_more_than_the_cores_are_refused_with_the_numbers(monkeypatch, section, np, told):
    monkeypatch.setattr(threads, "node_cores", lambda: 2)
    with pytest.raises(ConfigError) as raised:
        threads.check_cores(ProcessesSpec(**section), np)
    assert told in str(raised.value) and "at most 2 processes x threads" in str(raised.value)


def test_cores_may_be_shared_where_nothing_forbids_it(monkeypatch):
    monkeypatch.setattr(threads, "node_cores", lambda: 2)
    threads.check_cores(ProcessesSpec(), 4)
    threads.check_cores(ProcessesSpec(bind=True, threads=1), 2)
    # The most that an elastic job may be granted may well be on other machines.
    threads.check_cores(ProcessesSpec(bind=True, elastic=ElasticSpec(max=8, discovery="f")), 8)


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
        "from pdehvd.comm import threads\n"
        "from pdehvd.comm.spec import ProcessesSpec\n"
        "threads.configure_threads(ProcessesSpec(threads=1), images=sys.argv[1] == 'images')\n"
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
