"""Checkpoints on disk: written whole or not at all, the newest few and the best kept."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pdehvd.comm.agreement import from_rank_0
from pdehvd.comm.group import Group, Solo
from pdehvd.errors import ConfigError
from pdehvd.training.callback import Callback, Change
from pdehvd.training.checkpoint_index import INDEX, check_files, is_old, is_whole, read_index
from pdehvd.training.durable import remove, remove_leftovers, sync_folder, temporary
from pdehvd.training.snapshot import Snapshot, write_snapshots
from pdehvd.training.stored import StoredState

FOLDER = "checkpoints"
_NAME = re.compile(r"step-(\d{8,})")


class Checkpoints:
    """The `checkpoints/` of a run directory; only the process that is `enabled` writes."""

    def __init__(
        self, directory: Path, keep: int, enabled: bool = True, callbacks: Sequence[Callback] = ()
    ) -> None:
        self.folder = directory / FOLDER
        self.keep = keep
        self.enabled = enabled
        self._callbacks = callbacks

    def save(self, snapshot: Snapshot, best: bool = False) -> None:
        """Write `step-NNNNNNNN/`, point `latest` (and `best`) at it, and drop what is old.

        Every process calls it: those that write nothing send their rows of divided arrays. Raises
        `OSError` where the disk cannot take it; the checkpoints before it are then whole.
        """
        target = self.folder / f"step-{snapshot.counters.step:08d}"
        if not self.enabled or target.exists():
            write_snapshots(None, [snapshot])
        else:
            self._write(target, snapshot)
        if not self.enabled:
            return
        if best:
            self._point(self.folder / "best", target.name)
        self._point(self.folder / "latest", target.name)
        self._prune()

    def tidy(self, step: int) -> None:
        """Remove what deaths left: half-written files, and damaged checkpoints after `step`."""
        if not self.enabled or not self.folder.is_dir():
            return
        remove_leftovers(self.folder)
        for path in _newest_first(self.folder):
            if _step(path) > step:
                remove(path)
        for link in self.folder.iterdir():
            if link.is_symlink() and not link.exists():
                link.unlink()

    def _prune(self) -> None:
        """Remove all but the newest `keep` checkpoints and those that a link names."""
        linked = {os.readlink(link) for link in self.folder.iterdir() if link.is_symlink()}
        for path in _newest_first(self.folder)[self.keep :]:
            if path.name not in linked:
                self._before_change("remove", path)
                remove(path)

    def _write(self, target: Path, snapshot: Snapshot) -> None:
        """Write a checkpoint folder so that a kill or a power cut leaves all of it or nothing."""
        new = temporary(target)
        shutil.rmtree(new, ignore_errors=True)
        try:
            new.mkdir(parents=True)
            write_snapshots(new, [snapshot], lambda path: self._before_change("write", path))
            sync_folder(new)
            self._before_change("rename", target)
            os.rename(new, target)
        except OSError:
            shutil.rmtree(new, ignore_errors=True)
            raise
        sync_folder(target.parent)

    def _point(self, link: Path, name: str) -> None:
        """Make a symbolic link point at `name`; a reader sees the old target or the new one.

        A copy that follows links made a folder of it: that is kept as `NAME.moved`.
        """
        self._before_change("link", link)
        if link.is_dir() and not link.is_symlink():
            os.rename(link, link.with_name(f"{link.name}.moved"))
        new = temporary(link)
        new.unlink(missing_ok=True)
        new.symlink_to(name)
        os.replace(new, link)
        sync_folder(link.parent)

    def _before_change(self, change: Change, path: Path) -> None:
        for callback in self._callbacks:
            callback.before_change(change, path)


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _newest_first(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(found, key=_step, reverse=True)


def has_checkpoints(directory: Path) -> bool:
    """Return whether a run has written any checkpoint yet, whole or not."""
    return bool(_newest_first(directory / FOLDER))


def _warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def find_checkpoint(
    directory: Path, which: str = "latest", report: Callable[[str], None] = _warn
) -> Path:
    """Return the folder of a run's checkpoint; `which` is `latest`, `best` or `step-NNNNNNNN`.

    `latest` is the newest whole one, wherever the link points; `report` gets a message about each
    damaged one. Raises `ConfigError` where there is none.
    """
    folder = directory / FOLDER
    candidates = _newest_first(folder) if which == "latest" else [folder / which]
    damaged: list[str] = []
    for path in filter(Path.is_dir, candidates):
        if is_old(path):
            raise ConfigError(
                f"{path} has the format of an older version, which this one does not read",
                (),
                "a run of this version; train it again",
            )
        if is_whole(path):
            for other in damaged:
                report(f"checkpoint {other} is damaged; {path.name} is used")
            return path
        damaged.append(path.name)
    problem = f"is damaged: {', '.join(damaged)}" if damaged else "does not exist"
    raise ConfigError(
        f"{directory} has no checkpoint '{which}' that can be used: it {problem}",
        (),
        f"{folder}/step-NNNNNNNN",
    )


def open_checkpoint(
    directory: Path,
    which: str = "latest",
    group: Group | None = None,
    report: Callable[[str], None] = _warn,
) -> StoredState:
    """Return a run's checkpoint to be read; every rank calls it, and only rank 0 sees the files.

    Raises `ConfigError`, on all ranks alike, where there is none that can be used.
    """
    folder: Path | None = None

    def find() -> bytes:
        nonlocal folder
        folder = find_checkpoint(directory, which, report)
        data = (folder / INDEX).read_bytes()
        with blaming(directory):
            check_files(read_index(data), folder)
        return data

    group = group or Solo()
    index = read_index(from_rank_0(group, find))
    return StoredState(index, folder, group)


@contextmanager
def blaming(directory: Path) -> Iterator[None]:
    """Put the run in front of what is wrong with its checkpoint."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{directory}: {error.message}", error.path, error.expected) from error
