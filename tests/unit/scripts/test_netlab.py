"""The commands that netlab gives, and what it reads; the real thing needs root."""

import argparse
import subprocess

import pytest

from pdehvd.scaling.network_model import Link
from scripts.netlab import __main__ as netlab
from scripts.netlab import nodes

GIGABIT = nodes.Shape("1gbit")


def test_rates():
    assert nodes.bits("100mbit") == 1e8 and nodes.bits("2.5gbit") == 2.5e9
    for wrong in ("0gbit", "fast", "1gb", "-1mbit"):
        with pytest.raises(argparse.ArgumentTypeError):
            nodes.bits(wrong)
    with pytest.raises(SystemExit) as error:
        netlab.parsed(["--rates", "1gb"])
    assert error.value.code == 2
    assert netlab.parsed(["--rates", "1gbit"]).rates == ["none", "1gbit"]


def test_nodes_hang_on_a_bridge_in_a_namespace_of_its_own():
    commands = [" ".join(command) for command in nodes.set_up(2)]
    added = [command.split()[-1] for command in commands if command.startswith("ip netns add")]
    assert added == ["pdenet-hub", "pdenet0", "pdenet1"]
    # Nothing but the namespaces is made in the machine's own network.
    assert all(c.startswith(("ip netns add", "ip -n pdenet")) for c in commands)
    assert "ip -n pdenet1 address add 10.213.7.2/24 dev eth0" in commands


def test_both_directions_of_every_link_are_slowed():
    commands = [" ".join(command) for command in nodes.shaping(2, GIGABIT)]
    places = {(words[2], words[6]) for words in map(str.split, commands)}
    assert places == {
        ("pdenet0", "eth0"),
        ("pdenet1", "eth0"),
        ("pdenet-hub", "port0"),
        ("pdenet-hub", "port1"),
    }
    assert all("tbf rate 1gbit burst 125000" in command for command in commands)
    assert nodes.shaping(2, nodes.Shape(None)) == []
    slow = nodes.shaping(1, nodes.Shape("100mbit", delay=2.0))
    assert any("netem" in command and "1:1" in command for command in slow)
    assert all("burst" not in command or "32768" in command for command in slow)


def test_ranks_and_placements(tmp_path):
    assert nodes.placement("one node", 3) == [3, 0, 0]
    assert nodes.placement("one per node", 3) == [1, 1, 1]
    words = nodes.mpirun([1, 1], tmp_path / "agent.sh", ["program"])
    assert words[:4] == ["ip", "netns", "exec", "pdenet0"] and words[-1] == "program"
    assert words[words.index("--host") + 1] == "10.213.7.1:1,10.213.7.2:1"
    together = nodes.mpirun([2, 0], tmp_path / "agent.sh", ["program"])
    assert together[together.index("--host") + 1] == "10.213.7.1:2"


def test_the_agent_enters_the_namespace_of_the_host(tmp_path):
    agent = tmp_path / "agent.sh"
    agent.write_text(nodes.agent_script())
    ip = tmp_path / "ip"
    ip.write_text('#!/bin/sh\necho "$TMPDIR"; for word in "$@"; do echo "$word"; done\n')
    ip.chmod(0o755)
    done = subprocess.run(
        ["sh", agent, "-x", "10.213.7.2", "orted -mca a b", "--end"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout.splitlines()
    assert said[:4] == [str(tmp_path / "tmp1"), "netns", "exec", "pdenet1"]
    assert said[-1] == "orted -mca a b --end" and (tmp_path / "tmp1").is_dir()


def test_only_our_namespaces_are_removed():
    listing = "pdenet0 (id: 0)\npdenet-hub\nother\npdenetwork\npdenet12 (id: 3)\n"
    assert nodes.namespaces(listing) == ["pdenet0", "pdenet-hub", "pdenet12"]
    assert nodes.namespaces("") == []


def free_network(per_byte=1e-9, latency=1e-4):
    samples = [
        {"library": name, "dtype": "float32", "bytes": size, "seconds": [latency + per_byte * size]}
        for name in ("horovod", "mpi4py")
        for size in (1024, 65536, 1 << 20, 1 << 22)
    ]
    return {
        "processes": 2,
        "hosts": 2,
        "samples": samples,
        "copy": 5e9,
        "reduction": {"float32": 0.0},
        "link": None,
    }


def test_a_prediction_on_a_slow_link_is_what_its_bucket_lets_through():
    free, size = free_network(), 1 << 22
    assert netlab.predicted(free, "horovod", size, nodes.Shape(None)) == pytest.approx(
        1e-4 + size * 1e-9, rel=1e-3
    )
    slow = nodes.Shape("100mbit")
    rate = 1e8 / 8 * netlab.PAYLOAD
    # The bucket fills during the latency, so that is hidden, and small sums are not slowed at all.
    assert netlab.predicted(free, "horovod", size, slow) == pytest.approx(size / rate, rel=1e-3)
    assert netlab.predicted(free, "horovod", 1024, slow) == pytest.approx(1e-4 + 1024e-9, rel=1e-3)


def test_a_bucket_that_is_full_before_the_next_sum_does_not_hide_the_latency():
    link, size = Link("ring", 5e-3, 1e-9, 0.0), 1 << 20
    slow = nodes.Shape("100mbit")
    rate = 1e8 / 8 * netlab.PAYLOAD
    assert netlab.slowed(link, 2, size, slow) == pytest.approx(
        2 * 5e-3 + (size - slow.bucket * netlab.PAYLOAD) / rate
    )
    later = nodes.Shape("100mbit", delay=1.0)
    assert netlab.slowed(link, 2, size, later) == pytest.approx(
        netlab.slowed(link, 2, size, slow) + 2e-3
    )


def test_rounds_are_added_up_sample_by_sample():
    twice = netlab.with_rounds(netlab.with_rounds(None, free_network()), free_network(2e-9))
    once, again = free_network(), free_network(2e-9)
    assert twice["samples"][0]["seconds"] == [
        *once["samples"][0]["seconds"],
        *again["samples"][0]["seconds"],
    ]


def test_rows_hold_what_was_measured_and_how_far_it_is_off():
    slow = free_network(per_byte=8e-9 / netlab.PAYLOAD * 1.5)
    measured = {
        ("none", "one node"): free_network(5e-10),
        ("none", "one per node"): free_network(),
        ("1gbit", "one node"): free_network(5e-10),
        ("1gbit", "one per node"): slow,
    }
    shapes = {"none": nodes.Shape(None), "1gbit": GIGABIT}
    body = netlab.rows(measured, shapes, "horovod")
    assert len(body) == 8 and body[0][:2] == ["none", "1024"] and body[0][-1] in ("+0%", "-0%")
    assert body[-1][:2] == ["1gbit", str(1 << 22)] and body[-1][-1] == "-33%"
    assert netlab.within(body) == "5 of 8 within 20%"
    assert netlab.table(body).count("\n") == 9
