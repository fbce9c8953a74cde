"""Checkpoints on disk: written whole or not at all, the newest few and the best kept."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from pdehvd.errors import ConfigError
from pdehvd.training.state import TrainState

FOLDER = "checkpoints"
_FILE = "state.npz"
_NAME = re.compile(r"step-(\d{8,})")


class Checkpoints:
    """The `checkpoints/` of a run directory; only the process that is `enabled` writes."""

    def __init__(self, directory: Path, keep: int, enabled: bool = True) -> None:
        self.folder = directory / FOLDER
        self.keep = keep
        self.enabled = enabled

    def save(self, state: TrainState, best: bool = False) -> None:
        """Write `step-NNNNNNNN/`, point `latest` (and `best`) at it, and drop what is old."""
        if not self.enabled:
            return
        target = self.folder / f"step-{state.step:08d}"
        if not target.exists():
            _write(target, state.to_bytes())
        if best:
            _point(self.folder / "best", target.name)
        _point(self.folder / "latest", target.name)
        self._prune()

    def _prune(self) -> None:
        """Remove all but the newest `keep` checkpoints and those that a link names."""
        linked = {os.readlink(link) for link in self.folder.iterdir() if link.is_symlink()}
        steps = sorted(path.name for path in self.folder.iterdir() if _NAME.fullmatch(path.name))
        for name in steps[: -self.keep]:
            if name not in linked:
                shutil.rmtree(self.folder / name)


def _write(target: Path, data: bytes) -> None:
    """Write a checkpoint folder so that a kill or a power cut leaves all of it or nothing."""
    temporary = target.with_name(f".{target.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    with open(temporary / _FILE, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    _sync(temporary)
    os.rename(temporary, target)
    _sync(target.parent)


def _sync(folder: Path) -> None:
    """Make a folder's entries durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _point(link: Path, name: str) -> None:
    """Make a symbolic link point at `name`; a reader sees the old target or the new one."""
    temporary = link.with_name(f".{link.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(name)
    os.replace(temporary, link)


def read_checkpoint(directory: Path, which: str = "latest") -> bytes:
    """Return the bytes of a run's checkpoint; `which` is `latest`, `best` or `step-NNNNNNNN`.

    Where `latest` is missing or broken the newest complete checkpoint is taken.
    Raises `ConfigError` where there is none.
    """
    folder = directory / FOLDER
    candidates = [folder / which / _FILE]
    if which != "best" and folder.is_dir():
        steps = (path for path in folder.iterdir() if _NAME.fullmatch(path.name))
        candidates += [path / _FILE for path in sorted(steps, reverse=True)]
    for path in candidates:
        if path.is_file():
            return path.read_bytes()
    raise ConfigError(f"{directory} has no checkpoint '{which}'", (), f"{folder}/step-NNNNNNNN")
