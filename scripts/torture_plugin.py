"""A plug-in by which a process of `scripts/torture.py` dies at a moment that was chosen before.

`PDEHVD_TORTURE` holds the case as JSON; without it nothing dies. pdehvd itself knows nothing of
this: the functions of one process are wrapped here, in the tests' own runs only.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from pdehvd.comm import backend, xla_calls
from pdehvd.experiment import run
from pdehvd.experiment import summary as run_summary
from pdehvd.launch import ranks
from pdehvd.training import checkpoint
from pdehvd.training.checkpoint import Checkpoints
from pdehvd.training.history import History
from pdehvd.training.stepper import Stepper
from pdehvd.training.trainer import Trainer

STEP = 27
SAVED = 30
EVALUATED = 20
_REST = 0.3
_FULL = 1000


class Death:
    """Kills its victim once."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.victim, self.signal, self.moment = case["victim"], case["signal"], case["moment"]
        self.folder = Path(case["folder"])
        self.mine = ranks.world_rank() == (1 if self.victim == "rank 1" else 0)
        self.over = False

    def come(self) -> None:
        """Kill now: this process, or the one that started it."""
        mark = self.folder / "died"
        if not self.mine or mark.exists():
            return
        self.over = True
        pid = {
            "launcher": lambda: int((self.folder / "launcher").read_text()),
            "mpirun": os.getppid,
        }.get(self.victim, os.getpid)()
        mark.write_text(str(pid))
        os.kill(pid, getattr(signal, f"SIG{self.signal}"))

    def before(self, owner: Any, name: str, when: Callable[..., bool]) -> None:
        """Kill at the entry of a function."""
        whole = getattr(owner, name)

        def wrapped(*arguments: Any, **named: Any) -> Any:
            if when(*arguments, **named):
                self.come()
            return whole(*arguments, **named)

        setattr(owner, name, wrapped)

    def install(self) -> None:
        """Wrap what the moment needs."""
        self._rest()
        getattr(self, f"_{self.moment}")()

    def _rest(self) -> None:
        """Slow the steps down after a launcher was killed, or all would be done before it shows."""
        whole = Stepper.advance

        def advance(stepper: Stepper, *arguments: Any) -> Any:
            if self.over:
                time.sleep(_REST)
            return whole(stepper, *arguments)

        Stepper.advance = advance  # type: ignore[method-assign]

    def _join(self) -> None:
        self.before(backend, "group", lambda processes: True)

    def _start(self) -> None:
        self.before(Trainer, "fresh_state", lambda trainer: True)

    def _step(self) -> None:
        whole = Stepper.advance

        def advance(stepper: Stepper, state: Any, *arguments: Any) -> Any:
            if state.step == STEP:
                # A thread, so that this one is inside the step.
                threading.Timer(1e-3, self.come).start()
                time.sleep(5e-4)
            return whole(stepper, state, *arguments)

        Stepper.advance = advance  # type: ignore[method-assign]

    def _collective(self) -> None:
        """The others wait in the step's collective for ever."""
        self.before(Stepper, "advance", lambda stepper, state, *_: state.step == STEP)

    def _save(self) -> None:
        self.before(Checkpoints, "save", lambda kept, state, **_: state.step == SAVED)

    def _write(self) -> None:
        whole = checkpoint.write_through

        def write(path: Path, data: bytes) -> None:
            if f"{SAVED:08d}" in str(path):
                path.write_bytes(data[: len(data) // 2])
                self.come()
            whole(path, data)

        checkpoint.write_through = write

    def _rename(self) -> None:
        self.before(os, "rename", lambda old, new: f"step-{SAVED:08d}" in str(new))

    def _link(self) -> None:
        self.before(checkpoint, "_point", lambda link, name: name == f"step-{SAVED:08d}")

    def _prune(self) -> None:
        self.before(checkpoint, "remove", lambda path: self._half_removed(path))

    def _half_removed(self, path: Path) -> bool:
        if self.mine and not (self.folder / "died").exists():
            next(path.glob("*.npz")).unlink()
        return True

    def _evaluation(self) -> None:
        self.before(Trainer, "_evaluate", lambda trainer, state, recent: state.step == EVALUATED)

    def _metrics(self) -> None:
        def half(history: History, row: Any) -> bool:
            if row["step"] != STEP or not history.enabled:
                return False
            with history.path.open("a") as file:
                file.write('{"step": 27, "loss/to')
            return True

        self.before(History, "append", half)

    def _summary(self) -> None:
        self.before(run, "conclude", lambda *_: True)

    def _disk(self) -> None:
        """The system takes no more than a thousand bytes a file from the next checkpoint on."""

        def full(kept: Checkpoints, state: Any, **_: Any) -> bool:
            if state.step == SAVED and self.mine and not (self.folder / "died").exists():
                (self.folder / "died").write_text(str(os.getpid()))
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (_FULL, _FULL))
            return False

        self.before(Checkpoints, "save", full)


def _without_xla() -> None:
    """Compile nothing: that would take longer than all the rest of a case."""
    whole = tf.function
    # Sums are nothing outside of XLA.
    xla_calls.calls()

    def plain(*arguments: Any, jit_compile: bool = False, **options: Any) -> Any:
        return whole(*arguments, **options)

    tf.function = plain


def _without_pictures() -> None:
    """Draw nothing, for the same reason."""
    run_summary._draw = lambda place, summary: None


_without_xla()
_without_pictures()
assert run.Checkpoints is Checkpoints
if "PDEHVD_TORTURE" in os.environ:
    Death(json.loads(os.environ["PDEHVD_TORTURE"])).install()
