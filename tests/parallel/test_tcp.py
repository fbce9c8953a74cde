"""Messages between machines: what ranks ask of Open MPI's TCP, tried on the loopback interface."""

from __future__ import annotations

import pytest

from tests.support.launcher import load, run_worker


@pytest.fixture
def connections(tmp_path, monkeypatch):
    monkeypatch.setenv("OMPI_MCA_btl", "self,tcp")
    monkeypatch.setenv("OMPI_MCA_btl_tcp_if_include", "lo")

    def count():
        done = run_worker(2, "tcp", tmp_path, worker="worker_tcp")
        assert done.returncode == 0, done.stderr[-4000:]
        found = [load(tmp_path, rank) for rank in range(2)]
        assert [float(one["total"][0]) for one in found] == [3.0, 3.0]
        return [int(one["connections"]) for one in found]

    return count


def test_two_ranks_have_two_connections_unless_the_user_says_otherwise(connections, monkeypatch):
    usual = connections()
    monkeypatch.setenv("OMPI_MCA_btl_tcp_links", "1")
    assert usual == [count + 1 for count in connections()]
