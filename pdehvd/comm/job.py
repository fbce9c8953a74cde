"""A job: the processes of one training under mpirun, started again after a death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from pdehvd.comm.launch import launch_environment, mpirun_command, node_cores
from pdehvd.comm.orphan import LAUNCHER

if TYPE_CHECKING:
    from pdehvd.comm.spec import ProcessesSpec

_NOTE = "PDEHVD_NOTE"
_RESTARTS = "PDEHVD_RESTARTS"
# Done, bad input, environment, diverged, interrupted: starting again would change nothing.
_FINAL = (0, 2, 3, 4, 130)


def note_run(directory: Path) -> None:
    """Tell the launcher, if it is ours, which run directory rank 0 has chosen."""
    note = os.environ.get(_NOTE)
    if note:
        Path(note).write_text(str(directory), encoding="utf-8")


def restarts() -> int:
    """Return how often the launcher has started this job again."""
    count = os.environ.get(_RESTARTS, "")
    return int(count) if count.isdigit() else 0


class Job:
    """Starts `np` processes of a command, hands signals on, and starts again after a death.

    Ctrl-C or SIGTERM reaches the ranks as SIGUSR1, which mpirun hands on: they write a checkpoint
    and end in order. A second one ends them without that. Neither is followed by a restart.
    """

    def __init__(self, arguments: list[str], processes: ProcessesSpec, np: int) -> None:
        self.arguments = arguments
        self.processes = processes
        self.np = np
        self.restarts = 0
        self._asked = False
        self._child: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Return the exit code of the processes. Raises `EnvironmentFault` without mpirun."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        previous = {number: signal.signal(number, self._stop) for number in numbers}
        try:
            with tempfile.TemporaryDirectory(prefix="pdehvd-") as folder:
                note = Path(folder) / "run"
                while True:
                    code = self._wait(self._start(note))
                    if not self._again(code):
                        return code
                    self._prepare_restart(code, note)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _start(self, note: Path) -> subprocess.Popen[bytes]:
        """Start the processes once."""
        command = mpirun_command(self.arguments, self.processes, self.np)
        threads = self.processes.threads or max(1, node_cores() // self.np)
        environment = {
            **launch_environment(os.environ, threads),
            LAUNCHER: str(os.getpid()),
            _NOTE: str(note),
            _RESTARTS: str(self.restarts),
        }
        # A session of its own, or the terminal's Ctrl-C would kill mpirun before ranks can save.
        return subprocess.Popen(command, env=environment, start_new_session=True)

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        """Return the exit code of one start, as a shell would say it."""
        self._child = child
        if self._asked:
            child.send_signal(signal.SIGUSR1)
        code = child.wait()
        self._child = None
        return code if code >= 0 else 128 - code

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self._child is not None:
            self._child.send_signal(signal.SIGTERM if self._asked else signal.SIGUSR1)
        self._asked = True

    def _again(self, code: int) -> bool:
        """Return whether this was a death, and one that the config wants to be survived."""
        return code not in _FINAL and not self._asked and self.restarts < self.processes.restarts

    def _prepare_restart(self, code: int, note: Path) -> None:
        """Count the death, tell of it, and go on from where the run is."""
        self.restarts += 1
        if self.processes.shrink:
            self.np = max(1, self.np - 1)
        run = Path(note.read_text(encoding="utf-8")) if note.exists() else None
        text = (
            f"a process died (exit code {code}): restart {self.restarts} of "
            f"{self.processes.restarts} on {self.np} processes, from "
            f"{'the last checkpoint' if run else 'the beginning'}"
        )
        print(text, file=sys.stderr, flush=True)
        if run is not None:
            with open(run / "log.txt", "a", encoding="utf-8") as log:
                log.write(f"{time.strftime('%H:%M:%S')} {text}\n")
            self.arguments = resuming(self.arguments, run)


def resuming(arguments: list[str], run: Path) -> list[str]:
    """Return the arguments of `train` that go on with a run, whatever they said about that."""
    kept = list(arguments)
    if "--resume" in kept:
        at = kept.index("--resume")
        del kept[at : at + 2]
    return [*kept, "--resume", str(run)]
