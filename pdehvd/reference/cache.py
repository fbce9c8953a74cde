"""Costly references are computed once per machine and kept in the user's cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from pdehvd import __version__, caches

Arrays = dict[str, np.ndarray]


def cached(name: str, definition: Mapping[str, object], compute: Callable[[], Arrays]) -> Arrays:
    """Return the arrays of `compute()`, from the cache when it holds them.

    The key is a hash of the definition and of the package's version. A file that cannot be read
    or written only costs the computation; other processes never see half a file.
    """
    text = json.dumps([__version__, name, dict(definition)], sort_keys=True)
    file = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
    paths = [folder / file for folder in caches.places("references")]
    for path in paths:
        with contextlib.suppress(Exception), np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    arrays = compute()
    for path in paths:
        with contextlib.suppress(OSError):
            _write(path, arrays)
            break
    return arrays


def _write(path: Path, arrays: Arrays) -> None:
    caches.make(path.parent)
    # Not by mkstemp: the person's umask, not this program, says who may read.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
