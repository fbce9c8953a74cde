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

from pdehvd.errors import EnvironmentFault, counted
from pdehvd.launch import shared_memory
from pdehvd.launch.commands import Command
from pdehvd.launch.elastic import LOCAL, Discovery
from pdehvd.launch.leftover_processes import end_session
from pdehvd.launch.mpi_library import check_settings
from pdehvd.launch.mpirun import launch_environment, mpirun_command
from pdehvd.launch.orphan import LAUNCHER
from pdehvd.launch.ranks import OWN
from pdehvd.launch.restarts import NOTE
from pdehvd.launch.threads import shared_cores
from pdehvd.launch.typed_command import handed_on

if TYPE_CHECKING:
    from pdehvd.launch.processes_spec import ProcessesSpec

INTERRUPTED = 130
# A stop request kills ranks that have only just started: by SIGUSR1, or by mpirun's SIGTERM.
STOPPED = (INTERRUPTED, 138, 143)
DIVERGED = 4
# Done, bad input, environment, diverged, interrupted: starting again would change nothing.
_FINAL = (0, 2, 3, DIVERGED, INTERRUPTED)


class Job:
    """Starts `np` processes of a command, hands signals on, and starts again after a death.

    Ctrl-C or SIGTERM reaches the ranks as SIGUSR1, which mpirun hands on: they write a checkpoint
    and end in order. A second one ends them without that. Neither is followed by a restart.
    An elastic job asks its processes in the same way to stop when it is granted others.
    """

    def __init__(self, command: Command, processes: ProcessesSpec, np: int) -> None:
        self.command = command
        self.processes = processes
        self.np = np
        self.granted: dict[str, int] = {}
        self.deaths = 0
        self._asked = False
        self._moving = False
        self._child: subprocess.Popen[bytes] | None = None
        self._discovery: Discovery | None = None
        if processes.elastic is not None:
            self._discovery = Discovery(processes.elastic)

    def run(self) -> int:
        """Return the exit code of the processes.

        Raises `EnvironmentFault` without mpirun, or where settings of Open MPI in the environment
        let no process start.
        """
        numbers = (signal.SIGINT, signal.SIGTERM)
        previous = {number: signal.signal(number, self._stop) for number in numbers}
        try:
            with self._folder() as folder:
                self._note = Path(folder) / "run"
                self._grant()
                if not self._asked:
                    check_settings(self.processes, closed=not self._hosts)
                while not self._asked:
                    code = self._wait(self._start())
                    if not self._goes_on(code):
                        return code
                return INTERRUPTED
        finally:
            self._end_child()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _folder(self) -> tempfile.TemporaryDirectory[str]:
        """Return a folder for the note of rank 0. Raises `EnvironmentFault` where none is made."""
        # Rank 0 of an elastic job may run on another machine, which shares this folder.
        shared = Path.cwd() if self._discovery else None
        try:
            return tempfile.TemporaryDirectory(prefix=".pdehvd-", dir=shared)
        except OSError as error:
            place = f"in {shared}, as an elastic job does" if shared else "for temporary files"
            choice = "start it in another folder" if shared else "set TMPDIR to a writable folder"
            raise EnvironmentFault(
                f"no file can be written {place} ({error.strerror}): {choice}"
            ) from error

    def _start(self) -> subprocess.Popen[bytes]:
        """Start the processes once."""
        command = mpirun_command(self.command.argv(), self.processes, self.np, hosts=self._hosts)
        most = max(self._hosts.values()) if self._hosts else self.np
        variables = {NOTE: str(self._note), OWN: str(self.deaths), **handed_on()}
        closed = not self._hosts
        if closed:
            # Elsewhere it would be the number of another process; ranks end with their daemon.
            variables[LAUNCHER] = str(os.getpid())
        if self.deaths == 0 and (text := shared_memory.warning(most)):
            print(text, file=sys.stderr, flush=True)
        variables |= shared_cores(self.processes, most) | shared_memory.elsewhere(most)
        environment = launch_environment(os.environ, variables, closed=closed)
        # A session of its own, or the terminal's Ctrl-C would kill mpirun before ranks can save.
        return subprocess.Popen(command, env=environment, start_new_session=True)

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        """Return the exit code of one start, as a shell would say it."""
        self._child, self._started = child, time.time()
        if self._asked:
            child.send_signal(signal.SIGUSR1)
        while True:
            try:
                elastic = self.processes.elastic
                code = child.wait(elastic.every if elastic else None)
                break
            except subprocess.TimeoutExpired:
                self._move(child)
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

    def _move(self, child: subprocess.Popen[bytes]) -> None:
        """Ask an elastic job to stop where it is granted other processes."""
        assert self._discovery is not None
        if self._asked or self._moving or not self._has_stepped():
            return
        if self._discovery.hosts() != self.granted:
            self._moving = True
            child.send_signal(signal.SIGUSR1)

    def _has_stepped(self) -> bool:
        """Return whether this start has logged a step: before that a signal would kill it."""
        run = self._run()
        metrics = run / "metrics.jsonl" if run else None
        return metrics is not None and metrics.exists() and metrics.stat().st_mtime > self._started

    def _grant(self) -> None:
        """Set processes and machines to what is granted; wait while that is too little."""
        elastic, reported = self.processes.elastic, False
        while elastic is not None and self._discovery is not None and not self._asked:
            hosts = self._discovery.hosts()
            granted = sum(hosts.values())
            if granted >= elastic.min:
                self.np, self.granted = granted, hosts
                return
            if not reported:
                why = self._discovery.problem or f"{elastic.source} grants {granted}"
                self._report(f"waiting for {counted(elastic.min, 'process')}: {why}")
                reported = True
            time.sleep(min(elastic.every, 1.0))

    def _goes_on(self, code: int) -> bool:
        """Return whether the job starts again: it moves, or survives a death."""
        if self._asked:
            return False
        before = self.np
        if self._moving and code == INTERRUPTED:
            self._grant()
            text = f"moving from {before} to {self._place()}"
        elif code not in _FINAL and self.deaths < self.processes.survived:
            self.deaths += 1
            if self.processes.shrink:
                self.np = max(1, self.np - 1)
            if self.processes.elastic and not self._has_stepped():
                # A machine that has died may be granted for some time.
                time.sleep(self.processes.elastic.every)
            self._grant()
            text = (
                f"a process died (exit code {code}): restart {self.deaths} of "
                f"{self.processes.survived} on {self._place()}"
            )
        else:
            if code not in _FINAL:
                self._report(_ending(code))
            return False
        self._moving = False
        run = self._run()
        self._report(f"{text}, from the {'last checkpoint' if run else 'beginning'}")
        if run is not None:
            self.command = self.command.resuming(run)
        return True

    @property
    def _hosts(self) -> dict[str, int] | None:
        """The machines, where there are others than this one."""
        return self.granted if set(self.granted) - {LOCAL} else None

    def _place(self) -> str:
        """Return how many processes there are, and on which other machines."""
        number = counted(self.np, "process")
        return f"{number} on {', '.join(self._hosts)}" if self._hosts else number

    def _run(self) -> Path | None:
        """Return the run directory, if rank 0 has got so far."""
        if not self._note.exists():
            return None
        run = Path(os.fsdecode(self._note.read_bytes()))
        return run if (run / "config.yaml").is_file() else None

    def _report(self, text: str) -> None:
        """Print a line and keep it in the log of the run."""
        print(text, file=sys.stderr, flush=True)
        run = self._run()
        if run is not None:
            with open(run / "log.txt", "a", encoding="utf-8", errors="replace") as log:
                log.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def _ending(code: int) -> str:
    """Return what an exit code says of a death; a rank that was killed could say nothing itself."""
    if code == 128 + signal.SIGKILL:
        return "a process was killed (SIGKILL), as the system does when memory runs out"
    if code > 128 and code - 128 in set(signal.Signals):
        return f"a process was ended by {signal.Signals(code - 128).name}"
    return f"the run has ended on all processes, with exit code {code}"


def launch(command: Command, processes: ProcessesSpec, np: int) -> int:
    """Start `np` processes of a command with mpirun and return their exit code.

    See `Job` for signals, restarts and what it raises.
    """
    return Job(command, processes, np).run()
