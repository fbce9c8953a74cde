"""The watchdog: a run that hangs prints its stacks, and ends on every rank."""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

import psutil

from pdehvd.comm.agreement import gather_texts
from pdehvd.comm.board import Board
from pdehvd.comm.stall import decode_progress, encode_progress, explain_stall

if TYPE_CHECKING:
    from pdehvd.comm.group import Group
    from pdehvd.launch.processes_spec import ProcessesSpec

SIGNAL = signal.SIGUSR2
"""A rank that gets this signal prints the stacks of its threads, and continues."""
# A call may take so many times as long as the longest one before it.
_SLOWER = 10.0
# For a rank to write its stacks, for the other machines' ranks to write theirs, and for all of it.
_PAUSE, _GRACE, _BLOCKED = 0.3, 2.0, 60.0
# One that was stopped has to come back first, perhaps on a busy core.
_WAKING = 2.0
# The lowest rank of a machine speaks for all of them; the next ones only where it cannot.
_LAST_TURN = 3


class _Neighbour(NamedTuple):
    """A rank on the same machine; the time of its start tells it from a later process."""

    rank: int
    pid: int
    born: float
    board: Board | None

    def process(self) -> psutil.Process | None:
        """Return the process while it lives."""
        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            if process.create_time() == self.born:
                return process
        return None


class Watchdog:
    """Ends this process with code 1 when `beat` has not been called for longer than is allowed.

    A thread of its own counts; time in which the process was suspended does not count, so a job
    that a scheduler has put to sleep lives on. It writes onto a board what this rank has begun on
    each line of the grid. Before the end it prints from the boards of this machine which ranks are
    missing in what, and prints the stacks of all, of those too that were stopped or that keep
    Python's lock. Horovod's own check for stalls works over MPI alone.
    """

    def __init__(self, processes: ProcessesSpec) -> None:
        self._patience = processes.patience
        self._longest_start = processes.patience_at_start
        self._tick = min(1.0, (processes.patience or 0.0) / 10)
        self._turn = 0.0
        self._neighbours: list[_Neighbour] = []
        self._group: Group | None = None
        self._board: Board | None = None
        self._own = "this process"
        self._step: int | None = None
        self._beats = 0
        self._steady = False
        self._over = threading.Event()
        # The real one: TensorFlow's first words are kept from stderr while it is imported.
        self._stderr = os.dup(2)

    def __enter__(self) -> Watchdog:
        faulthandler.register(SIGNAL, file=self._stderr, all_threads=True)
        if self._patience is not None:
            for work in (self._watch, self._publish):
                threading.Thread(target=work, name=f"watchdog{work.__name__}", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        faulthandler.unregister(SIGNAL)

    def introduce(self, group: Group) -> None:
        """Learn who else runs on this machine; every rank calls it."""
        host, pid = socket.gethostname(), os.getpid()
        born = psutil.Process().create_time()
        board = Board.make()
        path = str(board.path) if board else ""
        texts = gather_texts(group, f"{host}\n{pid}\n{born!r}\n{path}", "neighbours")
        for rank, text in enumerate(texts):
            where, number, start, kept = text.split("\n")
            if where == host and rank != group.rank:
                other = Board.open(Path(kept)) if kept else None
                self._neighbours.append(_Neighbour(rank, int(number), float(start), other))
        group.barrier()
        if board:
            board.hide()
        self._group, self._board = group, board
        before = sum(neighbour.rank < group.rank for neighbour in self._neighbours)
        needed = _PAUSE * len(self._neighbours) + _WAKING + _GRACE
        self._turn = min(before, _LAST_TURN) * needed
        self._own = f"rank {group.rank}"
        self._beats += 1

    def beat(self, step: int) -> None:
        """Say that `step` steps are done."""
        self._step = step
        self._steady = True
        self._beats += 1

    def relax(self) -> None:
        """Allow as much time as at the start: the run ends, or something is compiled."""
        self._steady = False
        self._beats += 1

    def _watch(self) -> None:
        patience = self._patience or 0.0
        seen, waited, longest = self._beats, 0.0, 0.0
        last, steady = time.monotonic(), False
        while not self._over.wait(self._tick):
            now = time.monotonic()
            # A longer pause than a tick means that this process, or the machine, was suspended.
            waited += min(now - last, 2 * self._tick)
            last = now
            if seen != self._beats:
                longest = max(longest, waited) if steady else longest
                seen, waited, steady = self._beats, 0.0, self._steady
            allowed = max(patience, _SLOWER * longest)
            if not steady:
                allowed = max(allowed, self._longest_start)
            if waited > allowed + self._turn:
                self._end(waited)

    def _publish(self) -> None:
        """Write onto the board what this rank has begun, as long as the run continues.

        In a thread of its own: to look at the counts of Horovod's programs needs TensorFlow.
        """
        while not self._over.wait(self._tick):
            if self._board and self._group:
                self._board.write(encode_progress(self._group.progress()))

    def _explain(self) -> None:
        """Print which ranks of this machine wait for which in what."""
        if self._group is None:
            return
        boards = {neighbour.rank: neighbour.board for neighbour in self._neighbours}
        progress = {}
        for rank, board in {self._group.rank: self._board, **boards}.items():
            # The text of a rank that was stopped while it wrote is not whole.
            with suppress(ValueError):
                progress[rank] = decode_progress(board.read() if board else "")
        for line in explain_stall(progress):
            self._say(line)

    def _end(self, waited: float) -> None:
        """Print where all ranks of this machine are, and end."""
        # Should printing block, as on a terminal that is not read, this process still ends.
        faulthandler.dump_traceback_later(_BLOCKED, exit=True, file=self._stderr)
        where = "before the first step" if self._step is None else f"after step {self._step}"
        self._say(f"{self._own}: no progress for {waited:.0f} s {where}, so the run ends")
        self._explain()
        self._say(f"{self._own} (process {os.getpid()}):")
        faulthandler.dump_traceback(self._stderr, all_threads=True)
        for neighbour in self._neighbours:
            self._ask(neighbour)
        time.sleep(_GRACE)
        os._exit(1)

    def _ask(self, neighbour: _Neighbour) -> None:
        """Have a rank of this machine print its stacks, even where it was stopped."""
        title = f"rank {neighbour.rank} (process {neighbour.pid})"
        process = neighbour.process()
        if process is None:
            self._say(f"{title} is gone")
            return
        with suppress(psutil.Error):
            stopped = process.status() == psutil.STATUS_STOPPED
            self._say(f"{title}{', stopped by a signal' if stopped else ''}:")
            process.send_signal(SIGNAL)
            if stopped:
                process.resume()
            time.sleep(_WAKING if stopped else _PAUSE)

    def _say(self, text: str) -> None:
        sys.stdout.flush()
        os.write(self._stderr, f"{text}\n".encode())
