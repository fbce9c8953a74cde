"""Keeps mpirun's listeners from the network: a small library, compiled once, is preloaded."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

_SOURCE = Path(__file__).with_name("loopback.c")
_COMPILERS = ("cc", "gcc", "clang", "g++", "c++")


def library() -> Path | None:
    """Return the library, compiled into the user's cache at its first use; None where it cannot."""
    key = hashlib.sha256(_SOURCE.read_bytes() + platform.machine().encode()).hexdigest()[:16]
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    target = Path(base) / "pdehvd" / "lib" / f"loopback-{key}.so"
    with suppress(OSError):
        if _ours(target) or _compile(target):
            return target
    return None


def _ours(file: Path) -> bool:
    """Return whether a file is there that nobody but this user, or root, can have written."""
    if not file.is_file():
        return False
    facts = file.stat()
    return facts.st_uid in (0, os.geteuid()) and not facts.st_mode & 0o022


def _compile(target: Path) -> bool:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    for compiler in filter(None, (os.environ.get("CC"), os.environ.get("CXX"), *_COMPILERS)):
        if shutil.which(compiler) is None:
            continue
        command = [compiler, "-x", "c", "-shared", "-fPIC", "-O1", "-o", str(temporary)]
        done = subprocess.run([*command, str(_SOURCE), "-ldl"], capture_output=True, check=False)
        if done.returncode == 0:
            temporary.chmod(0o755)
            os.replace(temporary, target)
            return True
    return False
