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

from pdehvd.comm.elastic import Discovery
from pdehvd.comm.launch import launch_environment, mpirun_command, node_cores
from pdehvd.comm.orphan import LAUNCHER
from pdehvd.comm.remains import end_session

if TYPE_CHECKING:
    from pdehvd.comm.spec import ProcessesSpec

_NOTE = "PDEHVD_NOTE"
_RESTARTS = "PDEHVD_RESTARTS"
_INTERRUPTED = 130
# Done, bad input, environment, diverged, interrupted: starting again would change nothing.
_FINAL = (0, 2, 3, 4, _INTERRUPTED)


def note_run(directory: Path) -> None:
    """Tell the launcher, if it is ours, which run directory rank 0 has chosen."""
    note = os.environ.get(_NOTE)
    if note:
        new = Path(f"{note}.new")
        new.write_text(str(directory), encoding="utf-8")
        os.replace(new, note)


def restarts() -> int:
    """Return after how many deaths the launcher has started this job again."""
    count = os.environ.get(_RESTARTS, "")
    return int(count) if count.isdigit() else 0


class Job:
    """Starts `np` processes of a command, hands signals on, and starts again after a death.

    Ctrl-C or SIGTERM reaches the ranks as SIGUSR1, which mpirun hands on: they write a checkpoint
    and end in order. A second one ends them without that. Neither is followed by a restart.
    An elastic job asks its processes in the same way to stop when it is granted another number.
    """

    def __init__(self, arguments: list[str], processes: ProcessesSpec, np: int) -> None:
        self.arguments = arguments
        self.processes = processes
        self.np = np
        self.deaths = 0
        self._asked = False
        self._moving = False
        self._child: subprocess.Popen[bytes] | None = None
        self._discovery: Discovery | None = None
        if processes.elastic is not None:
            self._discovery = Discovery(processes.elastic)

    def run(self) -> int:
        """Return the exit code of the processes. Raises `EnvironmentFault` without mpirun."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        previous = {number: signal.signal(number, self._stop) for number in numbers}
        try:
            with tempfile.TemporaryDirectory(prefix="pdehvd-") as folder:
                self._note = Path(folder) / "run"
                self._grant()
                while not self._asked:
                    code = self._wait(self._start())
                    if not self._goes_on(code):
                        return code
                return _INTERRUPTED
        finally:
            self._end_child()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _start(self) -> subprocess.Popen[bytes]:
        """Start the processes once."""
        command = mpirun_command(self.arguments, self.processes, self.np)
        threads = self.processes.threads or max(1, node_cores() // self.np)
        environment = {
            **launch_environment(os.environ, threads),
            LAUNCHER: str(os.getpid()),
            _NOTE: str(self._note),
            _RESTARTS: str(self.deaths),
        }
        # A session of its own, or the terminal's Ctrl-C would kill mpirun before ranks can save.
        return subprocess.Popen(command, env=environment, start_new_session=True)

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        """Return the exit code of one start, as a shell would say it."""
        self._child, started = child, time.time()
        if self._asked:
            child.send_signal(signal.SIGUSR1)
        while True:
            try:
                elastic = self.processes.elastic
                code = child.wait(elastic.every if elastic else None)
                break
            except subprocess.TimeoutExpired:
                self._move(child, started)
        end_session(child.pid)
        self._child = None
        return code if code >= 0 else 128 - code

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self._child is not None:
            self._child.send_signal(signal.SIGTERM if self._asked else signal.SIGUSR1)
        self._asked = True

    def _end_child(self) -> None:
        """Leave no process behind where the launcher itself fails."""
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
            self._child.wait()

    def _move(self, child: subprocess.Popen[bytes], started: float) -> None:
        """Ask an elastic job to stop where it is granted another number of processes."""
        assert self._discovery is not None
        if self._asked or self._moving or not self._has_stepped(started):
            return
        if self._discovery.processes() != self.np:
            self._moving = True
            child.send_signal(signal.SIGUSR1)

    def _has_stepped(self, started: float) -> bool:
        """Return whether this start has logged a step: before that a signal would kill it."""
        run = self._run()
        metrics = run / "metrics.jsonl" if run else None
        return metrics is not None and metrics.exists() and metrics.stat().st_mtime > started

    def _grant(self) -> None:
        """Set the number of processes to what is granted; wait while that is too little."""
        elastic, told = self.processes.elastic, False
        while elastic is not None and self._discovery is not None and not self._asked:
            granted = self._discovery.processes()
            if granted >= elastic.min:
                self.np = granted
                return
            if not told:
                why = self._discovery.problem or f"{elastic.source} grants {granted}"
                self._tell(f"waiting for {elastic.min} processes: {why}")
                told = True
            time.sleep(min(elastic.every, 1.0))

    def _goes_on(self, code: int) -> bool:
        """Return whether the job starts again: it moves, or survives a death."""
        if self._asked:
            return False
        before = self.np
        if self._moving and code == _INTERRUPTED:
            self._grant()
            text = f"moving from {before} to {self.np} processes"
        elif code not in _FINAL and self.deaths < self.processes.survived:
            self.deaths += 1
            if self.processes.shrink:
                self.np = max(1, self.np - 1)
            self._grant()
            text = (
                f"a process died (exit code {code}): restart {self.deaths} of "
                f"{self.processes.survived} on {self.np} processes"
            )
        else:
            if code not in _FINAL:
                self._tell(_ending(code))
            return False
        self._moving = False
        run = self._run()
        self._tell(f"{text}, from the {'last checkpoint' if run else 'beginning'}")
        if run is not None:
            self.arguments = resuming(self.arguments, run)
        return True

    def _run(self) -> Path | None:
        """Return the run directory, if rank 0 has got so far."""
        if not self._note.exists():
            return None
        run = Path(self._note.read_text(encoding="utf-8"))
        return run if (run / "config.yaml").is_file() else None

    def _tell(self, text: str) -> None:
        """Print a line and keep it in the log of the run."""
        print(text, file=sys.stderr, flush=True)
        run = self._run()
        if run is not None:
            with open(run / "log.txt", "a", encoding="utf-8") as log:
                log.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def _ending(code: int) -> str:
    """Return what an exit code says of a death; a rank that was killed could say nothing itself."""
    if code == 128 + signal.SIGKILL:
        return "a process was killed (SIGKILL), as the system does where memory runs out"
    if code > 128 and code - 128 in set(signal.Signals):
        return f"a process was ended by {signal.Signals(code - 128).name}"
    return f"the run has ended on all processes, with exit code {code}"


def resuming(arguments: list[str], run: Path) -> list[str]:
    """Return the arguments `train CONFIG ...` that go on with a run.

    The config is that of the run, with all settings in it: the file may have changed meanwhile.
    """
    kept = [arguments[0], str(run / "config.yaml")]
    words = iter(arguments[2:])
    for word in words:
        if word in ("--set", "--resume"):
            next(words)
        else:
            kept.append(word)
    return [*kept, "--resume", str(run)]
