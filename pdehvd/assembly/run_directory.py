"""A run directory: where a run writes, and what it says about itself."""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import time
from pathlib import Path

from pdehvd.config.data_record import CONFIG
from pdehvd.errors import ConfigError
from pdehvd.training.durable import remove_leftovers

SUMMARY = "summary.json"
EVALUATION = "evaluation.json"
ENVIRONMENT = "environment.json"
LOG = "log.txt"


def create(output: Path, name: str) -> Path:
    """Make `output/name/TIME/` and point `output/latest` at it.

    Raises `ConfigError` where that cannot be written.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    link = output / "latest"
    if link.is_dir() and not link.is_symlink():
        raise ConfigError(
            f"{link} is a folder, but the link to the newest run needs that name",
            ("output",),
            "another output folder (--output DIR)",
        )
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


def make(place: Path) -> None:
    """Make a folder for what a command writes. Raises `ConfigError` where that cannot be."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        if not os.access(place, os.W_OK):
            raise PermissionError(errno.EACCES, "Permission denied")
    except OSError as error:
        raise unwritable(place, error) from error


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
    if run.suffix == ".zip" and run.is_file():
        raise ConfigError(
            f"{run} is a packed run", (), f"the folder that `unzip {shlex.quote(str(run))}` makes"
        )
    if run.exists():
        raise ConfigError(
            f"{run} is not a run directory: it holds no {CONFIG}",
            (),
            "a directory such as runs/NAME/TIME",
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
                    f"another process is writing to {directory}", (), "one training per directory"
                )
            time.sleep(0.1)

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *failure: object) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _locked(handle: int) -> bool:
    """Lock a file if no other process has; a file system without locks grants them all."""
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
