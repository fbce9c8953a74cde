"""The `training` section: how long, how often to look, when to stop."""

from __future__ import annotations

from pydantic import Field, model_validator

from pdehvd.errors import ConfigError
from pdehvd.problems.levels import LevelsSpec
from pdehvd.spec import Spec

# Lines of metrics: so many for a short phase, one in so many steps, so many for a long phase.
_LINES, _USUAL, _MOST = 50, 100, 1000


class EarlyStoppingSpec(Spec):
    """Stop when the total loss has not fallen for some time."""

    patience: int = Field(default=1000, ge=1, description="steps without an improvement")
    minimum_change: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="smaller relative decreases of the loss do not count",
    )


class StopAtSpec(Spec):
    """Stop when a target is reached."""

    relative_l2: float | None = Field(
        default=None,
        gt=0,
        description="largest relative L2 error over the fields",
    )
    loss: float | None = Field(default=None, gt=0, description="total loss")

    @model_validator(mode="after")
    def _some_target(self) -> StopAtSpec:
        if self.relative_l2 is None and self.loss is None:
            raise ConfigError("no target is given", (), "relative_l2 or loss")
        return self


class TrainingSpec(Spec):
    """Number of steps, and the intervals of evaluation, checkpoints and logging."""

    steps: int = Field(default=10_000, ge=1, description="optimizer updates")
    checkpoint_every: int = Field(default=1000, ge=1, description="steps between checkpoints")
    evaluate_every: int = Field(
        default=500, ge=1, description="steps between evaluations of the error"
    )
    log_every: int | None = Field(
        default=None,
        ge=1,
        description="steps between lines of metrics.jsonl; null: at least 50 lines a phase",
    )
    steps_per_call: int = Field(
        default=25,
        ge=1,
        description="steps per compiled call; more is faster, but stop requests are noticed later",
    )
    micro_batches: int = Field(
        default=1,
        ge=1,
        description="parts of a batch, one after another, whose gradients are added: less memory",
    )
    verify_every: int | None = Field(
        default=100,
        ge=1,
        description="steps between comparisons of the ranks' parameters, bit for bit; null: never",
    )
    keep: int = Field(
        default=3, ge=1, description="newest checkpoints kept, in addition to the best one"
    )
    levels: LevelsSpec | None = Field(
        default=None,
        description="multi-resolution training: the resolution schedule; null: one resolution",
    )
    early_stopping: EarlyStoppingSpec | None = None
    stop_at: StopAtSpec | None = None
    max_seconds: float | None = Field(
        default=None,
        gt=0,
        description="time limit of the training, in seconds",
    )
    report: bool = Field(
        default=True,
        description="draw the pictures and write report.html at the end; `pdehvd report` does so "
        "later",
    )

    def log_period(self, steps: int) -> int:
        """Return the steps between lines of metrics in a phase of `steps` steps.

        Unless it is given: 50 lines or more for each phase, a line a step for the shortest, one in
        100 steps for those of 5,000 to 100,000, and a thousand lines for longer ones.
        """
        return self.log_every or max(1, min(steps // _LINES, max(_USUAL, steps // _MOST)))
