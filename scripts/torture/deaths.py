"""How a process of `make torture` dies at each moment."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from pdehvd.comm.group import Group
from pdehvd.launch import ranks
from pdehvd.training.callback import Callback, Change
from pdehvd.training.history import FILE
from pdehvd.training.outcome import Outcome
from pdehvd.training.state import TrainState

STEP = 27
SAVED = 30
EVALUATED = 20
_REST = 0.3
# Less than any array of a checkpoint.
_FULL = 100


class Death(Callback):
    """Kills its victim once, at the moment that a subclass chooses."""

    def __init__(self, victim: str, signal: str, folder: Path) -> None:
        self.victim, self.signal, self.folder = victim, signal, folder
        self.mark = folder / "died"
        self.mine = ranks.world_rank() == (1 if self.victim == "rank 1" else 0)
        self.over = False

    @property
    def due(self) -> bool:
        """Whether this process is the one to act, and nothing has died yet."""
        return self.mine and not self.mark.exists()

    def come(self) -> None:
        """Kill now: this process, or the one that started it."""
        if self.due:
            self.over = True
            pid = self._pid()
            self.mark.write_text(str(pid))
            os.kill(pid, signal.Signals[f"SIG{self.signal}"])

    def _pid(self) -> int:
        if self.victim == "launcher":
            return int((self.folder / "launcher").read_text())
        return os.getppid() if self.victim == "mpirun" else os.getpid()

    def before_steps(self, state: TrainState, count: int) -> None:
        """Slow the steps down after a launcher was killed, or all would be done before it shows."""
        if self.over:
            time.sleep(_REST)


class AtLaunch(Death):
    def on_launch(self) -> None:
        self.come()


class AtStart(Death):
    def on_start(self, directory: Path, group: Group, state: TrainState) -> None:
        self.come()


class InStep(Death):
    def before_steps(self, state: TrainState, count: int) -> None:
        super().before_steps(state, count)
        if state.step == STEP:
            # A thread, so that this one is inside the step.
            threading.Timer(1e-3, self.come).start()
            time.sleep(5e-4)


class BeforeCollective(Death):
    """The others wait in the step's collective forever."""

    def before_steps(self, state: TrainState, count: int) -> None:
        super().before_steps(state, count)
        if state.step == STEP:
            self.come()


class BeforeEvaluation(Death):
    def after_steps(self, state: TrainState) -> None:
        if state.step == EVALUATED:
            self.come()


class InRow(Death):
    """Half a row of metrics is written."""

    def on_start(self, directory: Path, group: Group, state: TrainState) -> None:
        self._metrics = directory / FILE

    def on_log(self, row: Mapping[str, float]) -> None:
        if row["step"] == STEP and self.due:
            with self._metrics.open("a") as file:
                file.write('{"step": 27, "loss/to')
            self.come()


class AtSave(Death):
    def before_checkpoint(self, state: TrainState) -> None:
        if state.step == SAVED:
            self.come()


class OfSaved(Death):
    """Base of the deaths while the checkpoint of one step is written."""

    change: Change
    _saving: TrainState | None = None

    def before_checkpoint(self, state: TrainState) -> None:
        self._saving = state if state.step == SAVED else None

    def before_change(self, change: Change, path: Path) -> None:
        if self._saving is not None and change == self.change and self.due:
            self.spoil(self._saving, path)
            self.come()

    def spoil(self, state: TrainState, path: Path) -> None:
        """Leave what a change that is half done leaves."""


class InWrite(OfSaved):
    change = "write"

    def spoil(self, state: TrainState, path: Path) -> None:
        data = state.theta.numpy().tobytes()
        path.write_bytes(data[: len(data) // 2])


class BeforeRename(OfSaved):
    change = "rename"


class BeforeLink(OfSaved):
    change = "link"


class InRemoval(OfSaved):
    change = "remove"

    def spoil(self, state: TrainState, path: Path) -> None:
        next(path.glob("*.npy")).unlink()


class AtEnd(Death):
    def on_end(self, outcome: Outcome) -> None:
        self.come()


class FullDisk(Death):
    """The system takes no more than a hundred bytes a file from the next checkpoint on."""

    def before_checkpoint(self, state: TrainState) -> None:
        if state.step == SAVED and self.due:
            self.mark.write_text(str(os.getpid()))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (_FULL, _FULL))


MOMENTS: dict[str, type[Death]] = {
    "join": AtLaunch,
    "start": AtStart,
    "step": InStep,
    "collective": BeforeCollective,
    "evaluation": BeforeEvaluation,
    "metrics": InRow,
    "save": AtSave,
    "write": InWrite,
    "rename": BeforeRename,
    "link": BeforeLink,
    "prune": InRemoval,
    "summary": AtEnd,
    "disk": FullDisk,
}
