"""Callbacks from plug-ins at defined moments of a run: the section `callbacks` of a config."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pdehvd.spec import Spec

if TYPE_CHECKING:
    from pdehvd.comm.group import Group
    from pdehvd.training.outcome import Outcome
    from pdehvd.training.state import TrainState

Change = Literal["write", "rename", "link", "remove"]


class Callback:
    """Is called at defined moments of a run; each method does nothing unless overridden.

    Every rank calls all of them at the same steps, except `before_change`. An exception ends the
    run on all ranks.
    """

    def on_launch(self) -> None:
        """Before this process joins the others."""

    def on_start(self, directory: Path, group: Group, state: TrainState) -> None:
        """Before the first step of a run in `directory`, from a fresh or a stored state."""

    def before_steps(self, state: TrainState, count: int) -> None:
        """Before a call of up to `count` steps, which are one compiled program."""

    def after_steps(self, state: TrainState) -> None:
        """After that call, before anything is evaluated or written."""

    def on_log(self, row: Mapping[str, float]) -> None:
        """Before a row of metrics is written."""

    def before_checkpoint(self, state: TrainState) -> None:
        """Before a checkpoint of `state`."""

    def before_change(self, change: Change, path: Path) -> None:
        """Before a file, folder or link of checkpoints changes; on rank 0 only."""

    def after_checkpoint(self, state: TrainState) -> None:
        """When the checkpoint is on disk; on ranks other than 0 perhaps earlier."""

    def on_end(self, outcome: Outcome) -> None:
        """After the last step, before the summary is written."""


class CallbackSpec(Spec):
    """Base of the specs in the section `callbacks`."""

    @abstractmethod
    def build(self) -> Callback:
        """Return the callback of one run; called once in every process."""
