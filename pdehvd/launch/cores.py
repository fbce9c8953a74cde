"""Which cores this process may use: its mask, and the quota of its control groups."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_GROUPS = Path("sys/fs/cgroup")
_TOPOLOGY = Path("/sys/devices/system/cpu")


def mask(process: int = 0) -> set[int]:
    """Return the cores that a process may run on; 0: this one."""
    if hasattr(os, "sched_getaffinity"):
        with suppress(OSError):
            return set(os.sched_getaffinity(process))
    return set(range(os.cpu_count() or 1))


def count(process: int = 0) -> int:
    """Return how many cores the processes of a mask keep busy: its size, or the quota if less.

    Half of a core more is left alone: whatever waits for the slower one waits for all of it.
    """
    whole = len(mask(process))
    limit = quota()
    return whole if limit is None else max(1, min(whole, math.floor(limit + 0.05)))


def quota(root: Path = Path("/")) -> float | None:
    """Return how many cores' time the control groups of this process grant; None: all of it.

    The least over the group and those above it, of both versions of control groups.
    """
    found = []
    for version, folder, top in _groups(root):
        while True:
            found.append(_granted(folder, version))
            if folder == top or top not in folder.parents:
                break
            folder = folder.parent
    return min((cores for cores in found if cores is not None), default=None)


def _groups(root: Path) -> Iterator[tuple[int, Path, Path]]:
    """Yield version, own folder and top folder of the control groups that limit time."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        inside = path.lstrip("/")
        if number == "0" and not controllers:
            tops = [_GROUPS, _GROUPS / "unified"]
        elif "cpu" in controllers.split(","):
            tops = [_GROUPS / controllers, _GROUPS / "cpu"]
        else:
            continue
        for top in tops:
            # A container sees its own group as the top, whatever path the kernel names.
            for folder in dict.fromkeys((root / top / inside, root / top)):
                if ".." not in folder.parts and folder.is_dir():
                    yield (2 if number == "0" else 1), folder, root / top


def _granted(folder: Path, version: int) -> float | None:
    """Return the cores that one control group grants, None where it does not say."""
    try:
        if version == 2:
            time, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
        else:
            time = (folder / "cpu.cfs_quota_us").read_text(encoding="utf-8")
            period = (folder / "cpu.cfs_period_us").read_text(encoding="utf-8")
        cores = int(time) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0 else None


def share_of_cores(number: int, processes: int, most: int, topology: Path = _TOPOLOGY) -> list[int]:
    """Return up to `most` cores of the mask for process `number` of so many on this machine.

    Shares do not overlap, and threads of one physical core are in the same share, of which
    different physical cores come first. Empty where there are more processes than cores.
    """
    places = sorted((_place(core, topology), core) for core in mask())
    each = len(places) // processes
    mine = places[number * each : (number + 1) * each]
    seen: dict[tuple[int, int], int] = {}
    ordered = []
    for place, core in mine:
        seen[place] = seen.get(place, -1) + 1
        ordered.append((seen[place], place, core))
    return [core for _, _, core in sorted(ordered)[:most]]


def _place(core: int, topology: Path) -> tuple[int, int]:
    """Return the processor and the physical core that a core belongs to."""
    folder = topology / f"cpu{core}" / "topology"
    try:
        package = int((folder / "physical_package_id").read_text())
        return package, int((folder / "core_id").read_text())
    except (OSError, ValueError):
        return 0, core


def pin(cores: list[int]) -> None:
    """Keep all threads of this process on these cores; those that start later follow."""
    for thread in os.listdir("/proc/self/task"):
        with suppress(OSError):
            os.sched_setaffinity(int(thread), cores)
