"""What `pdehvd doctor` checks on this machine without starting anything."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from pdehvd import __version__
from pdehvd.doctor.findings import FAILED, OK, WARNING, Finding, verdict
from pdehvd.errors import counted
from pdehvd.launch import ranks, shared_memory
from pdehvd.launch.loopback import loopback_library
from pdehvd.launch.threads import node_cores

_GIB = 2.0**30
_MIB = 2.0**20
# Above so many runnable programs for each core, they share cores most of the time.
_BUSY = 1.5
_SHOWN = ("tensorflow", "keras", "numpy", "scipy", "sympy")


def python() -> Finding:
    """Return whether pdehvd runs on this Python."""
    found = f"{platform.python_version()} ({sys.executable}); pdehvd {__version__}"
    good = (3, 10) <= sys.version_info[:2] <= (3, 13)
    return verdict("Python", good, found, "Use Python 3.10 to 3.13: PYTHON=python3.12 make setup")


def packages(requirements: list[str] | None = None) -> Finding:
    """Return whether the packages are installed in the versions that pdehvd requires."""
    if requirements is None:
        try:
            requirements = importlib.metadata.requires("pdehvd") or []
        except importlib.metadata.PackageNotFoundError:
            requirements = []
    wrong = []
    for text in requirements:
        needed = Requirement(text)
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        have = _version(needed.name)
        if have is None or not needed.specifier.contains(have, prereleases=True):
            wrong.append(f"{needed.name}{needed.specifier} ({have or 'missing'})")
    advice = f"Install {', '.join(wrong)}: make setup, or pip install -c requirements.txt -e ."
    found = ", ".join(f"{name} {_version(name) or 'missing'}" for name in _SHOWN)
    return verdict("packages", not wrong, found, advice)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def space(output: Path, needed: float = 1.0) -> Finding:
    """Return whether there is room for runs: `needed` GiB."""
    free = shutil.disk_usage(existing(output)).free / _GIB
    found = f"{free:.1f} GiB free for {output}"
    advice = f"Make room for at least {needed:g} GiB, or choose another folder: --output DIR"
    return verdict("disk", free >= needed, found, advice)


def shared(np: int, folder: Path = shared_memory.FOLDER) -> Finding:
    """Return whether `np` processes find room for their messages in shared memory."""
    free = shared_memory.free(folder)
    if free is None:
        return Finding("shared memory", OK, f"there is no {folder}; messages go through files")
    found = f"{free / _MIB:,.0f} MiB free in {folder}"
    need = shared_memory.needed(np) / _MIB
    advice = (
        f"{np} processes need {need:.0f} MiB there, or their messages go through files: start the "
        f"container with --shm-size={2 * need:.0f}m"
    )
    return verdict("shared memory", free / _MIB >= need, found, advice, WARNING)


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there, if only as a file."""
    folder = folder.resolve()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def memory(np: int, each: float = 0.7) -> Finding:
    """Return whether `np` processes find memory, `each` GiB: TensorFlow alone takes about that."""
    have, needed = psutil.virtual_memory().available / _GIB, np * each
    found = (
        f"{have:.1f} GiB available, {counted(np, 'process')} will need about {needed:.1f} to start"
    )
    return verdict("memory", have >= needed, found, "End other programs, or use a smaller --np")


def cores(np: int) -> Finding:
    """Return whether every process has a core of those that this one may use, and to itself."""
    have, whole = node_cores(), os.cpu_count() or 1
    granted = f"{have} of {whole} may be used here" if have < whole else f"{have} on this machine"
    load = os.getloadavg()[0]
    found = f"{granted}, load {load:.1f}"
    advice = (
        f"oversubscription, {counted(np, 'process')} on {counted(have, 'core')}: "
        f"use --np {have} at most for speed"
    )
    # The ranks of a job that asks for itself count too.
    if np <= have and load > _BUSY * whole and not ranks.was_launched():
        busy = "other programs use the cores: end them, or expect slow runs and wrong timings"
        return Finding("cores", WARNING, found, busy)
    return verdict("cores", np <= have or ranks.was_launched(), found, advice, WARNING)


def network() -> Finding:
    """Return the interfaces that are up; on one machine a run uses the loopback alone."""
    addresses, speeds = psutil.net_if_addrs(), psutil.net_if_stats()
    up = [name for name, facts in speeds.items() if facts.isup and name in addresses]
    named = [
        f"{name} ({speeds[name].speed:,} Mbit/s)" if speeds[name].speed else name for name in up
    ]
    closed = any(
        address.family == socket.AF_INET and address.address.startswith("127.")
        for name in up
        for address in addresses[name]
    )
    advice = "Bring the loopback interface up: ip link set lo up"
    return verdict("network", closed, ", ".join(named) or "no interface is up", advice)


def ports() -> Finding:
    """Return whether mpirun can be kept from listening on interfaces that others reach."""
    advice = "Install a C compiler: without it, mpirun listens on all interfaces during a run"
    closed = loopback_library() is not None
    found = (
        "mpirun is restricted to the loopback interface" if closed else "mpirun is not restricted"
    )
    return verdict("open ports", closed, found, advice, WARNING)


def folder(output: Path) -> Finding:
    """Return whether a run can write, rename and link in its folder, as runs do."""
    place = existing(output)
    try:
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=place, prefix=".doctor-") as name:
            file, target = Path(name) / "a.new", Path(name) / "a"
            with open(file, "wb") as stream:
                stream.write(bytes(1 << 20))
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(file, target)
            (Path(name) / "latest").symlink_to("a")
        seconds = time.perf_counter() - started
    except OSError as error:
        found = f"{place}: {error.strerror or error}"
        advice = "Choose a writable folder with support for links: --output DIR"
        return Finding("run folder", FAILED, found, advice)
    return Finding("run folder", OK, f"{output}: 1 MiB written safely in {1e3 * seconds:.0f} ms")
