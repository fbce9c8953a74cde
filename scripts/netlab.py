"""Emulated clusters: nodes as network namespaces on a bridge, links slowed by token buckets.

    sudo .venv/bin/python scripts/netlab.py [--rates 100mbit 1gbit 10gbit none] [--np 2] [--write]
    sudo .venv/bin/python scripts/netlab.py --clean

Needs root, `ip` and `tc`. Every node is a network namespace with one link to a bridge, which lives
in a namespace of its own: no packet leaves the machine, and the machine's own network is not
touched. Open MPI starts its daemons in the namespaces (through a script in place of ssh) and
`pdehvd net` measures, for each rate of the links, with all ranks on one node and one on each. The
link of the predictor, fitted where nothing is slowed, is then held against what was measured.

Everything is removed at the end, also after Ctrl-C and after a failure; --clean removes what a
killed run left behind. Tokens are for bytes on the wire, headers included. netem, which could add
latency, is not in every kernel; --latency is refused where it is missing.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "pdenet"
HUB, BRIDGE = f"{PREFIX}-hub", "bridge"
SUBNET = "10.213.7"
UNITS = {"kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
# Of 1514 bytes on the wire 1448 are the program's.
PAYLOAD = 1448 / 1514
TARGET = 0.2
MARKS = ("<!-- netlab: begin -->", "<!-- netlab: end -->")
PLACEMENTS = ("one node", "one per node")


@dataclass(frozen=True)
class Shape:
    """A rate as tc writes it, or None; and milliseconds of delay."""

    rate: str | None
    delay: float = 0.0

    @property
    def bits_per_second(self) -> float | None:
        return None if self.rate is None else bits(self.rate)


def bits(rate: str) -> float:
    """Return the bits per second of a rate such as `100mbit`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmg]bit)", rate)
    if not match or float(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"'{rate}' is no rate; expected such as 100mbit, or none")
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

    The bucket holds a millisecond of bytes (at least 32 KiB, or large packets never pass), the
    queue is long enough that nothing is dropped.
    """
    commands = []
    for index in range(nodes):
        for place, device in ((node(index), "eth0"), (HUB, f"port{index}")):
            tc = ["tc", "-n", place, "qdisc"]
            if shape.rate is not None:
                burst = int(max(32 * 1024, bits(shape.rate) / 8 * 1e-3))
                bucket = ["tbf", "rate", shape.rate, "burst", str(burst), "limit", "64mb"]
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
        "btl_vader_single_copy_mechanism": "none",
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


Times = dict[tuple[str, int], float]


def medians(found: dict[str, Any], dtype: str = "float32") -> Times:
    """Return seconds by library and bytes."""
    return {
        (one["library"], one["bytes"]): statistics.median(one["seconds"])
        for one in found["samples"]
        if one["dtype"] == dtype
    }


def predicted(free: dict[str, Any], library: str, size: int, shape: Shape) -> float:
    """Return the seconds of an allreduce from the times of the links at full speed."""
    from pdehvd.experiment.net import Network, joined

    links = Network.model_validate(joined([free])).links(library, near=size)
    if shape.bits_per_second is not None:
        goodput = shape.bits_per_second * PAYLOAD
        links = tuple(link.limited(goodput, shape.delay * 1e-3) for link in links)
    return min(link.seconds(free["processes"], size) for link in links)


def rows(
    measured: dict[tuple[str, str], dict[str, Any]], shapes: dict[str, Shape], library: str
) -> list[list[str]]:
    """Return a row for each rate and size: both placements, the prediction, how far it is off."""
    free = measured["none", PLACEMENTS[1]]
    body = []
    for name, shape in shapes.items():
        together, apart = (medians(measured[name, place]) for place in PLACEMENTS)
        for (found, size), seconds in apart.items():
            if found != library:
                continue
            model = predicted(free, library, size, shape)
            times = (together[library, size], seconds, model)
            body.append([name, f"{size}", *(f"{one * 1e6:.0f}" for one in times)])
            body[-1].append(f"{model / seconds - 1:+.0%}")
    return body


def within(body: Iterable[Sequence[str]]) -> str:
    """Return how many predictions are as near as they should be."""
    off = [abs(float(row[-1].rstrip("%"))) / 100 for row in body]
    return f"{sum(one <= TARGET for one in off)} of {len(off)} within {TARGET:.0%}"


def table(body: Iterable[Sequence[str]]) -> str:
    head = ["link", "bytes", "one node, us", "one per node, us", "predicted, us", "off"]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    rates = ["none", "10gbit", "1gbit", "100mbit"]
    parser.add_argument("--rates", nargs="*", default=rates, help="of the links; none: not slowed")
    parser.add_argument("--np", type=int, default=2, help="ranks, and nodes")
    parser.add_argument("--largest", default="4MB", help="the largest allreduce")
    parser.add_argument("--latency", type=float, default=0.0, help="ms that each link adds")
    parser.add_argument("--json", type=Path, help="keep all times in this file")
    parser.add_argument("--clean", action="store_true", help="remove what was left, nothing else")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    options = parser.parse_args(words)
    try:
        for rate in options.rates:
            if rate != "none":
                bits(rate)
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    if options.np < 2 or options.np > 64:
        parser.error("--np: from 2 to 64")
    # What nothing slows is what the prediction starts from.
    options.rates = list(dict.fromkeys(["none", *options.rates]))
    return options


def lacking() -> str:
    """Return what this machine lacks, or an empty text."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [name for name in ("ip", "tc", "unshare") if not shutil.which(name)]
    return f"{' and '.join(missing)} not found" if missing else ""


def main() -> int:
    options = parsed()
    if problem := lacking():
        print(f"netlab: {problem}", file=sys.stderr)
        return 3
    if options.clean:
        print("removed:", " ".join(clean()) or "nothing")
        return 0
    if left := namespaces(said(["ip", "netns", "list"])):
        print(f"netlab: {' '.join(left)} exist already; --clean removes them", file=sys.stderr)
        return 2
    if options.latency and not has_netem():
        print("netlab: this kernel has no netem; --latency cannot be had", file=sys.stderr)
        return 3
    measured, shapes = measure(options)
    text = []
    for library in ("horovod", "mpi4py"):
        body = rows(measured, shapes, library)
        text.append(f"{library}, {options.np} ranks: {within(body)}\n\n{table(body)}")
    print("\n\n".join(text))
    if options.json:
        everything = [{"rate": r, "placement": p, **found} for (r, p), found in measured.items()]
        options.json.write_text(json.dumps(everything))
    if options.write:
        import bench_peers

        command = f"`.venv/bin/python scripts/netlab.py {shlex.join(sys.argv[1:])}`"
        bench_peers.write("\n\n".join(["## Emulated links", command, *text]), MARKS)
    return 0


def measure(
    options: argparse.Namespace,
) -> tuple[dict[tuple[str, str], dict[str, Any]], dict[str, Shape]]:
    """Return what `pdehvd net` measured for every rate and placement."""
    shapes = {
        rate: Shape(None if rate == "none" else rate, options.latency) for rate in options.rates
    }
    measured = {}
    with Lab(options.np) as lab:
        for name, shape in shapes.items():
            lab.shape(shape)
            for place in PLACEMENTS:
                print(f"{name}, {place} ...", file=sys.stderr, flush=True)
                into = lab.folder / "net.json"
                program = [sys.executable, "-m", "pdehvd", "net", "--largest", options.largest]
                lab.run(placement(place, options.np), [*program, "--into", str(into)])
                measured[name, place] = json.loads(into.read_text())
    return measured, shapes


if __name__ == "__main__":
    sys.exit(main())
