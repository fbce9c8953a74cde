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

    >>> class Losses(Callback):
    ...     def __init__(self):
    ...         self.seen = []
    ...     def on_log(self, row):
    ...         self.seen.append(row["loss/total"])
    >>> callback = Losses()
    >>> callback.on_log({"step": 10, "loss/total": 0.5})
    >>> callback.seen
    [0.5]
    """

    def on_launch(self) -> None:
        """Before this process joins the others."""

    def on_start(self, directory: Path, group: Group, state: TrainState) -> None:
        """Before the first step of a run in `directory`, from a fresh or a stored state.

        Arguments:
            directory: of the run
            group: the processes
            state: theta [P], the step, and the state of the optimizer
        """

    def before_steps(self, state: TrainState, count: int) -> None:
        """Before a call of up to `count` steps, which are one compiled program.

        Arguments:
            state: theta [P], the step, and the state of the optimizer
            count: the most steps that it takes
        """

    def after_steps(self, state: TrainState) -> None:
        """After that call, before anything is evaluated or written.

        Arguments:
            state: theta [P], the step, and the state of the optimizer
        """

    def on_log(self, row: Mapping[str, float]) -> None:
        """Before a row of metrics is written.

        Arguments:
            row: numbers by the names of `metrics.jsonl`
        """

    def before_checkpoint(self, state: TrainState) -> None:
        """Before a checkpoint of `state`.

        Arguments:
            state: theta [P], the step, and the state of the optimizer
        """

    def before_change(self, change: Change, path: Path) -> None:
        """Before a file, folder or link of checkpoints changes; on rank 0 only.

        Arguments:
            change: "write", "rename", "link" or "remove"
            path: what changes
        """

    def after_checkpoint(self, state: TrainState) -> None:
        """When the checkpoint is on disk; on ranks other than 0 perhaps earlier.

        Arguments:
            state: theta [P], the step, and the state of the optimizer
        """

    def on_end(self, outcome: Outcome) -> None:
        """After the last step, before the summary is written.

        Arguments:
            outcome: the last state, the loss, and why it ended
        """


class CallbackSpec(Spec):
    """Base of the specs in the section `callbacks`.

    >>> class QuietSpec(CallbackSpec):
    ...     name: Literal["quiet"] = "quiet"
    ...     def build(self):
    ...         return Callback()
    >>> QuietSpec().plain()
    {'name': 'quiet'}
    """

    @abstractmethod
    def build(self) -> Callback:
        """Return the callback of one run; called once in every process."""
