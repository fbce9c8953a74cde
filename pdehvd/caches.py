"""Where caches go: what is compiled or computed once, and kept for later runs."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def places(part: str) -> Iterator[Path]:
    """Yield the folders that may hold this part of the cache, the best one first.

    `$XDG_CACHE_HOME/pdehvd/PART` where that variable names a folder; else `~/.cache/pdehvd/PART`,
    and after it, for a user without a home that can be written, a private folder under the
    temporary one. A folder may be missing, and it may be one that cannot be written.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if named.is_absolute():
        yield named / "pdehvd" / part
        return
    user = home()
    own = user / ".cache" / "pdehvd" / part if user else None
    if own is not None:
        yield own
    if own is None or not _may_be_made(own):
        private = _private()
        if private is not None:
            yield private / part


def make(folder: Path) -> None:
    """Make a folder of the cache. Raises `OSError` where nothing can be written into it."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder} cannot be written")


def home() -> Path | None:
    """Return the user's home; None for a user whom this machine does not know."""
    with suppress(RuntimeError):
        found = Path.home()
        return found if found.is_absolute() else None
    return None


def ignore_relative() -> None:
    """Forget a relative `XDG_CACHE_HOME`, as its specification asks; libraries would follow it."""
    if not Path(os.environ.get("XDG_CACHE_HOME", "/")).is_absolute():
        del os.environ["XDG_CACHE_HOME"]


def missing_home() -> dict[str, str]:
    """Return the variable that names a home where nothing else does: Open MPI crashes without."""
    return {} if home() else {"HOME": "/"}


def _may_be_made(folder: Path) -> bool:
    """Return whether the folder, or the nearest one above it that is there, can be written."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _private() -> Path | None:
    """Return a folder that only this user can have written, for code is loaded from it."""
    with suppress(OSError):
        folder = Path(tempfile.gettempdir()) / f"pdehvd-{os.geteuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        facts = folder.lstat()
        own = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()
        return folder if own and not facts.st_mode & 0o077 else None
    return None
