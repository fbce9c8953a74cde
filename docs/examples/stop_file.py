"""A plug-in with a callback: a run stops where a file named `stop` appears in its folder."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Literal

from pydantic import Field

from pdehvd.comm.group import Group
from pdehvd.spec import register
from pdehvd.training.callback import Callback, CallbackSpec
from pdehvd.training.outcome import Outcome
from pdehvd.training.state import TrainState


class StopFile(Callback):
    """Looks for the file after every call of steps, on rank 0, and removes it at the end."""

    def __init__(self, name: str) -> None:
        self._name = name

    def on_start(self, directory: Path, group: Group, state: TrainState) -> None:
        self._path = directory / self._name
        self._looks = group.rank == 0

    def after_steps(self, state: TrainState) -> None:
        if self._looks and self._path.exists():
            # A stop request of one rank travels with the next steps: all stop at the same one.
            signal.raise_signal(signal.SIGUSR1)

    def on_end(self, outcome: Outcome) -> None:
        if self._looks:
            self._path.unlink(missing_ok=True)


@register("callback")
class StopFileSpec(CallbackSpec):
    """Stops the run where a file appears in its directory."""

    name: Literal["stop_file"] = "stop_file"
    file: str = Field("stop", min_length=1, description="name of the file")

    def build(self) -> Callback:
        """Return the callback of one run."""
        return StopFile(self.file)
