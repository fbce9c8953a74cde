"""The environment of the peer, DeepXDE: its own folder in the user's cache, never ours.

    python -m scripts.bench.peer_environment

DeepXDE 1.11.1 wants TensorFlow 2.15 for its Horovod backend, and that wants Python 3.10 or 3.11.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from scripts.shared import machine

REQUIREMENTS = Path(__file__).with_name("peer-requirements.txt")
SUPPORTED = [(3, 10), (3, 11)]


def python() -> Path:
    """Return the peer's interpreter, making its environment first where it is not finished.

    Raises machine.SetupError where Python 3.10 or 3.11, a compiler, space or the network is
    missing.
    """
    cache = machine.cache_folder()
    folder = Path(cache, "peer-venv")
    inside = folder / "bin" / "python"
    stamp = folder / "stamp"
    content = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    with machine.locked(str(Path(cache, "peer-venv.lock"))):
        if inside.exists() and stamp.exists() and stamp.read_text() == content:
            return inside
        base = machine.choose_python(os.environ.get("PEER_PYTHON"), SUPPORTED, "PEER_PYTHON")[0]
        machine.check_compiler()
        machine.check_space(cache, 4.0)
        create = [base, "-m", "venv", "--clear", str(folder)]
        machine.run_logged(create, str(Path(cache, "peer.log")), "creating the peer's environment")
        environ = machine.child_environment(str(folder))
        pip = [str(inside), "-m", "pip", "install", "--disable-pip-version-check"]
        machine.run_logged(
            [*pip, "-r", str(REQUIREMENTS)],
            str(Path(cache, "peer.log")),
            "installing DeepXDE and its TensorFlow (a few minutes)",
            environ,
        )
        build = [str(inside), "-m", "scripts.setup.horovod", "--install"]
        quiet = subprocess.DEVNULL
        if subprocess.run(build, env=environ, stdout=quiet, cwd=machine.ROOT).returncode:
            raise machine.SetupError("the peer's Horovod could not be built")
        stamp.write_text(content)
    return inside


def main() -> int:
    """Make the environment and print its interpreter; exit code 3 where something is missing."""
    try:
        print(python())
    except machine.SetupError as error:
        machine.say(str(error))
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
