"""Nodes of an emulated cluster: namespaces, links that tokens slow, and Open MPI across them."""

from __future__ import annotations

import argparse
import atexit
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pdehvd.launch.single_copy import mechanism

PREFIX = "pdenet"
HUB, BRIDGE = f"{PREFIX}-hub", "bridge"
SUBNET = "10.213.7"
UNITS = {"kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
PLACEMENTS = ("one node", "one per node")


@dataclass(frozen=True)
class Shape:
    """A rate as tc writes it, or None; and milliseconds of delay."""

    rate: str | None
    delay: float = 0.0

    @property
    def bits_per_second(self) -> float | None:
        return None if self.rate is None else bits(self.rate)

    @property
    def bucket(self) -> int:
        """Bytes that pass at full speed: a millisecond of them.

        At least 32 KiB, or large packets never pass.
        """
        return int(max(32 * 1024, (self.bits_per_second or 0.0) / 8 * 1e-3))


def bits(rate: str) -> float:
    """Return the bits per second of a rate such as `100mbit`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmg]bit)", rate)
    if not match or float(match[1]) == 0:
        raise argparse.ArgumentTypeError(
            f"'{rate}' is not a rate; expected a rate such as 100mbit, or none"
        )
    return float(match[1]) * UNITS[match[2]]


def node(index: int) -> str:
    """Return the namespace of a node."""
    return f"{PREFIX}{index}"


def address(index: int) -> str:
    """Return the address of a node."""
    return f"{SUBNET}.{index + 1}"


def set_up(nodes: int) -> list[list[str]]:
    """Return the commands that make nodes, bridge and links, without shaping."""
    hub = ["ip", "-n", HUB]
    commands = [
        ["ip", "netns", "add", HUB],
        [*hub, "link", "add", BRIDGE, "type", "bridge"],
        [*hub, "link", "set", BRIDGE, "up"],
    ]
    for index in range(nodes):
        own, port = ["ip", "-n", node(index)], f"port{index}"
        peer = ["peer", "name", "eth0", "netns", node(index)]
        commands += [
            ["ip", "netns", "add", node(index)],
            [*hub, "link", "add", port, "type", "veth", *peer],
            [*hub, "link", "set", port, "master", BRIDGE, "up"],
            [*own, "address", "add", f"{address(index)}/24", "dev", "eth0"],
            [*own, "link", "set", "eth0", "up"],
            [*own, "link", "set", "lo", "up"],
        ]
    return commands


def shaping(nodes: int, shape: Shape) -> list[list[str]]:
    """Return the commands that slow both directions of every link.

    The queue is long enough that nothing is dropped.
    """
    commands = []
    for index in range(nodes):
        for place, device in ((node(index), "eth0"), (HUB, f"port{index}")):
            tc = ["tc", "-n", place, "qdisc"]
            if shape.rate is not None:
                bucket = ["tbf", "rate", shape.rate, "burst", str(shape.bucket), "limit", "64mb"]
                commands.append([*tc, "replace", "dev", device, "root", "handle", "1:", *bucket])
            if shape.delay and device == "eth0":
                parent = ["root"] if shape.rate is None else ["parent", "1:1"]
                delay = ["netem", "delay", f"{shape.delay}ms", "limit", "100000"]
                commands.append([*tc, "add", "dev", device, *parent, *delay])
    return commands


def unshaping(nodes: int) -> list[list[str]]:
    """Return the commands that give every link its speed back; each may find nothing to do."""
    places = [(node(i), "eth0") for i in range(nodes)]
    places += [(HUB, f"port{i}") for i in range(nodes)]
    return [["tc", "-n", place, "qdisc", "del", "dev", dev, "root"] for place, dev in places]


def agent_script() -> str:
    """Return the shell script that Open MPI calls in place of ssh: HOST COMMAND...

    Each node has a name and a folder for temporary files of its own, as different machines have.
    """
    return f"""#!/bin/sh
# Started by mpirun in place of ssh.
while [ "${{1#-}}" != "$1" ]; do shift; done
index=$((${{1##*.}} - 1)); shift
export TMPDIR="$(dirname "$0")/tmp$index"
mkdir -p "$TMPDIR"
exec ip netns exec "{PREFIX}$index" unshare --uts \\
    sh -c 'hostname "$0"; exec sh -c "$1"' "{PREFIX}$index" "$*"
"""


def mpirun(counts: Sequence[int], agent: Path, program: Sequence[str]) -> list[str]:
    """Return the command that starts counts[i] ranks of a program on node i."""
    hosts = ",".join(f"{address(i)}:{count}" for i, count in enumerate(counts) if count)
    settings = {
        "plm_rsh_agent": str(agent),
        "plm_rsh_no_tree_spawn": "1",
        "oob_tcp_if_include": f"{SUBNET}.0/24",
        "btl": "self,vader,tcp",
        "btl_tcp_if_include": f"{SUBNET}.0/24",
        "btl_vader_single_copy_mechanism": mechanism(),
        "pml": "ob1",
        "mpi_yield_when_idle": "1",
    }
    words = ["ip", "netns", "exec", node(0), str(Path(sys.executable).with_name("mpirun"))]
    words += ["--quiet", "--allow-run-as-root", "-np", str(sum(counts)), "--host", hosts]
    words += ["--map-by", "slot", "--bind-to", "none", "--oversubscribe"]
    for name, value in settings.items():
        words += ["--mca", name, value]
    return [*words, *program]


def placement(name: str, ranks: int) -> list[int]:
    """Return how many ranks each node has."""
    return [ranks, *[0] * (ranks - 1)] if name == "one node" else [1] * ranks


class Lab:
    """Makes the nodes and removes everything again, whatever happens in between."""

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes
        self.children: list[subprocess.Popen[str]] = []
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}-"))
        self.agent = self.folder / "agent.sh"

    def __enter__(self) -> Lab:
        atexit.register(self.close)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(130))
        self.agent.write_text(agent_script())
        self.agent.chmod(0o700)
        for command in set_up(self.nodes):
            call(command)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def shape(self, shape: Shape) -> None:
        for command in unshaping(self.nodes):
            call(command, may_fail=True)
        for command in shaping(self.nodes, shape):
            call(command)

    def run(self, counts: Sequence[int], program: Sequence[str]) -> None:
        """Run a program on the nodes. Raises `RuntimeError` with what it said where it fails."""
        variables = {**os.environ, "PDEHVD_TERMINAL": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
        child = subprocess.Popen(
            mpirun(counts, self.agent, program),
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.children.append(child)
        said, _ = child.communicate(timeout=900)
        self.children.remove(child)
        if child.returncode:
            raise RuntimeError(f"the ranks ended with {child.returncode}:\n{said[-3000:]}")

    def close(self) -> None:
        for child in self.children:
            child.kill()
        clean()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)


def namespaces(listing: str) -> list[str]:
    """Return our namespaces in what `ip netns list` says."""
    names = [line.split()[0] for line in listing.splitlines() if line.strip()]
    return [name for name in names if re.fullmatch(rf"{PREFIX}(\d+|-hub)", name)]


def clean() -> list[str]:
    """End what runs in our namespaces and remove them with their links; return their names."""
    found = namespaces(said(["ip", "netns", "list"]))
    for name in found:
        for pid in said(["ip", "netns", "pids", name]).split():
            if int(pid) != os.getpid():
                call(["kill", "-9", pid], may_fail=True)
    for name in found:
        call(["ip", "netns", "del", name], may_fail=True)
    return found


def call(command: Sequence[str], may_fail: bool = False) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and not may_fail:
        raise RuntimeError(f"{shlex.join(command)}: {done.stderr.strip()}")


def said(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def has_netem() -> bool:
    """Return whether the kernel can delay packets; tried in a namespace that is removed again."""
    name = f"{PREFIX}-hub"
    call(["ip", "netns", "add", name])
    try:
        tried = ["tc", "-n", name, "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
        return subprocess.run(tried, capture_output=True, check=False).returncode == 0
    finally:
        call(["ip", "netns", "del", name], may_fail=True)
