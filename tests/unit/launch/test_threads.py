import pytest

from pdehvd.errors import ConfigError
from pdehvd.launch import threads
from pdehvd.launch.processes_spec import ElasticSpec, ProcessesSpec
from pdehvd.launch.threads import PIN


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
    assert told in str(raised.value) and "processes times threads of at most 2" in str(raised.value)


def test_cores_may_be_shared_where_nothing_forbids_it(monkeypatch):
    monkeypatch.setattr(threads, "node_cores", lambda: 2)
    threads.check_cores(ProcessesSpec(), 4)
    threads.check_cores(ProcessesSpec(bind=True, threads=1), 2)
    # The most that an elastic job may be granted may well be on other machines.
    threads.check_cores(ProcessesSpec(bind=True, elastic=ElasticSpec(max=8, discovery="f")), 8)


def test_more_processes_than_cores_are_not_pinned(monkeypatch):
    monkeypatch.setattr(threads, "node_cores", lambda: 4)
    assert PIN not in threads.shared_cores(ProcessesSpec(), 5)
    roomy = threads.shared_cores(ProcessesSpec(), 2)
    assert roomy[PIN] == "2" and roomy["OMP_NUM_THREADS"] == "2"


def test_processes_section_is_obeyed(monkeypatch):
    monkeypatch.setattr(threads, "node_cores", lambda: 4)
    assert PIN not in threads.shared_cores(ProcessesSpec(threads=1, bind=False), 2)
    assert threads.shared_cores(ProcessesSpec(threads=1), 2)[PIN] == "1"
