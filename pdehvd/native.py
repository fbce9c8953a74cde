"""Small native libraries: compiled once into the user's cache, never taken from anybody else."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pdehvd import caches


def compile_library(
    source: Path, compilers: Sequence[str], flags: Sequence[str] = (), key: str = ""
) -> Path | None:
    """Return the library of a source file, compiled at its first use; None where it cannot be.

    The first of the compilers that is there and succeeds makes it. `key` names what else than the
    source, the machine and the flags it depends on.
    """
    origin = f"{platform.machine()} {' '.join(flags)} {key}".encode()
    digest = hashlib.sha256(source.read_bytes() + origin).hexdigest()[:16]
    for folder in caches.places("lib"):
        target = folder / f"{source.stem}-{digest}.so"
        with suppress(OSError):
            made = _ours(target) or _compile(source, target, compilers, flags)
            return target if made else None
    return None


def _ours(file: Path) -> bool:
    """Return whether a file is there that only this user, or root, can have written."""
    if not file.is_file():
        return False
    facts = file.stat()
    return facts.st_uid in (0, os.geteuid()) and not facts.st_mode & 0o022


def _compile(source: Path, target: Path, compilers: Sequence[str], flags: Sequence[str]) -> bool:
    caches.make(target.parent)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    for compiler in compilers:
        if shutil.which(compiler) is None:
            continue
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(temporary), str(source), *flags]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            temporary.chmod(0o755)
            os.replace(temporary, target)
            return True
    return False
