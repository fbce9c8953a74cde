"""What the machine offers: Python, compiler, disk, cache; and commands run with a log file.

Standard library only, and syntax that old Pythons parse (see setup/environment.py).
"""

import contextlib
import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator, Tuple

Version = Tuple[int, int, int]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SUPPORTED = [(3, 10), (3, 11), (3, 12), (3, 13)]
# What Horovod is built with; a change means another wheel.
BUILD_VARIABLES = re.compile(
    r"HOROVOD_(GPU|CPU_OPERATIONS|WITH|BUILD|CUDA|NCCL|ROCM|MPICXX|ENABLE_XLA|ALLOW_MIXED)"
)
# pip redirected by the user's settings would install outside the environment.
REDIRECTIONS = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PYTHONHOME", "PYTHONPATH")
KNOWN_FAILURES = [
    (r"No space left on device|Disk quota exceeded", "the disk is full"),
    (
        r"NewConnectionError|NameResolutionError|Temporary failure in name|Network is unreachable"
        r"|ConnectTimeoutError|ProxyError|Connection refused",
        "no package index can be reached; connect to the network or set PIP_INDEX_URL to a mirror",
    ),
    (r"fatal error: Python\.h|Python\.h: No such file", "the Python headers are missing"),
    (r"virtual memory exhausted|Killed signal|cannot allocate memory", "memory ran out"),
]


class SetupError(Exception):
    """Something that the machine lacks; the message is one sentence."""


def say(text: str) -> None:
    """Write one line of progress to stderr."""
    print("pdehvd setup: " + text, file=sys.stderr, flush=True)


def cache_folder() -> str:
    """Return the cache folder of this project, made if needed: see pdehvd/caches.py."""
    failures = []
    for folder in map(str, _cache_places()):
        try:
            os.makedirs(folder, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError as error:
            failures.append("{} ({})".format(folder, error.strerror))
    raise SetupError(
        "the cache folder {} cannot be written; set XDG_CACHE_HOME to one that can".format(
            " or ".join(failures) or "of a user without a home"
        )
    )


def _cache_places() -> "list[Path]":
    """Return where caches may be; the file is loaded alone, for its package is not installed."""
    path = os.path.join(ROOT, "pdehvd", "caches.py")
    spec = importlib.util.spec_from_file_location("pdehvd_caches", path)
    assert spec is not None and spec.loader is not None  # .py files always have a loader
    caches = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(caches)
    places = caches.places("")  # type: list[Path]
    return places


@contextlib.contextmanager
def locked(path: str) -> "Iterator[None]":
    """Hold an exclusive lock on a file, saying so when another process has it."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another setup is running; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def explain(output: str) -> str:
    """Return the known cause of a failed command from what it printed, or an empty string."""
    for pattern, sentence in KNOWN_FAILURES:
        if re.search(pattern, output, re.IGNORECASE):
            return sentence
    return ""


def run_logged(
    command: "list[str]",
    log: str,
    what: str,
    env: "dict[str, str] | None" = None,
    cwd: "str | None" = None,
) -> None:
    """Run a command with its output in a log; raise SetupError with the cause or the last lines."""
    say(what + " ...")
    start = time.time()
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, "w") as handle:
        child = subprocess.Popen(
            command, stdout=handle, stderr=subprocess.STDOUT, env=env, cwd=cwd or ROOT
        )
        try:
            while child.poll() is None:
                time.sleep(0.1)
                if sys.stderr.isatty():
                    sys.stderr.write("\r  {:.0f} s".format(time.time() - start))
                    sys.stderr.flush()
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
            if sys.stderr.isatty():
                sys.stderr.write("\r\033[K")
    if child.returncode == 0:
        return
    with open(log, errors="replace") as handle:
        output = handle.read()
    cause = explain(output)
    what = what.split(" (")[0]
    if cause:
        raise SetupError("{} failed because {} (log: {})".format(what, cause, log))
    tail = "\n".join("  | " + line for line in output.splitlines()[-12:])
    raise SetupError("{} failed; the log {} ends with\n{}".format(what, log, tail))


def probe(python: str) -> "tuple[Version, bool] | None":
    """Return (version, has_venv) of an interpreter, or None where it does not run."""
    code = (
        "import sys; print('%d %d %d' % sys.version_info[:3]); sys.stdout.flush(); "
        "import venv, ensurepip"
    )
    try:
        child = subprocess.Popen(
            [python, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            universal_newlines=True,
        )
    except OSError:
        return None
    fields = child.communicate()[0].split()
    if len(fields) != 3:
        return None
    major, minor, micro = (int(field) for field in fields)
    return (major, minor, micro), child.returncode == 0


def choose_python(
    requested: "str | None" = None,
    supported: "list[tuple[int, int]] | None" = None,
    variable: str = "PYTHON",
) -> "tuple[str, Version]":
    """Return (path, version) of a supported Python with venv: the requested one or the first."""
    supported = supported or SUPPORTED
    names = ["python3"] + ["python%d.%d" % version for version in reversed(supported)]
    candidates = [requested] if requested else [sys.executable] + names
    found, without_venv = [], []
    for name in candidates:
        path = shutil.which(name)
        facts = probe(path) if path else None
        if path is None or facts is None:
            continue
        version, has_venv = facts
        text = "{} ({})".format(name, ".".join(str(part) for part in version))
        if version[:2] not in supported:
            found.append(text)
        elif not has_venv:
            without_venv.append((text, version))
        else:
            return path, version
    if without_venv:
        text, version = without_venv[0]
        raise SetupError(
            "{} lacks the venv and ensurepip modules; install them "
            "(on Debian and Ubuntu: apt install python{}.{}-venv)".format(text, *version[:2])
        )
    what = "only " + ", ".join(found) + " was found" if found else "none was found"
    if requested:
        # The text of what was found starts with the name already.
        what = found[0] + " is not" if found else requested + " is not a Python that runs"
    wanted = ["%d.%d" % version for version in supported]
    raise SetupError(
        "Python {} or {} is needed and {}; name one: {}=/path/to/python{} make ...".format(
            ", ".join(wanted[:-1]), wanted[-1], what, variable, wanted[-1]
        )
    )


def check_compiler() -> None:
    """Raise SetupError unless a C++17 compiler works: CXX, or the first of c++, g++, clang++."""
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    present = [name for name in names if shutil.which(name.split()[0])]
    if not present:
        raise SetupError(
            "a C++ compiler is needed to build Horovod and {} was not found; install one "
            "(on Debian and Ubuntu: apt install g++) or name it in CXX".format(" or ".join(names))
        )
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "probe.cc")
        with open(source, "w") as handle:
            handle.write("#include <string_view>\nint main() { if constexpr (true) return 0; }\n")
        command = present[0].split() + ["-std=c++17", source, "-o", os.path.join(folder, "probe")]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if child.wait() != 0:
            raise SetupError(
                "the C++ compiler {} cannot build a C++17 program; "
                "install a newer one or name another in CXX".format(present[0])
            )


def check_space(folder: str, needed: float) -> None:
    """Raise SetupError unless the disk of a folder has `needed` GiB free."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    free = shutil.disk_usage(folder).free / 2.0**30
    if free < needed:
        raise SetupError(
            "{:.1f} GiB of free disk space is needed in {} and there is {:.1f} GiB".format(
                needed, folder, free
            )
        )


def child_environment(folder: str) -> "dict[str, str]":
    """Return the variables for commands inside the environment."""
    variables = {name: value for name, value in os.environ.items() if name not in REDIRECTIONS}
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        variables.pop(name, None)
    folder = os.path.abspath(folder)
    variables["VIRTUAL_ENV"] = folder
    variables["PATH"] = os.path.join(folder, "bin") + os.pathsep + os.environ["PATH"]
    return variables
