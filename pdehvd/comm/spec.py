"""Sections about processes: how many, how they run, what the sampling numbers count."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pdehvd.spec import Spec


class ProcessesSpec(Spec):
    """How the processes are started; the defaults suit one machine."""

    np: int | None = Field(
        default=None, ge=1, le=1_000_000, description="processes, unless --np says; null: 1"
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="threads per process; null: cores divided by processes",
    )
    cycle_time: float = Field(
        default=0.1,
        gt=0,
        le=1000,
        allow_inf_nan=False,
        description="how often Horovod looks for work, in milliseconds (HOROVOD_CYCLE_TIME)",
    )
    bind: bool | None = Field(
        default=None,
        description="pin every process to its cores; null: only where each has its own",
    )
    oversubscribe: bool = Field(default=True, description="allow more processes than cores")
    restarts: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="how often the launcher goes on from the last checkpoint after a death",
    )
    shrink: bool = Field(default=False, description="restart on one process fewer after each death")


class ScalingSpec(Spec):
    """Whether the numbers under `sampling` count all processes together or each one."""

    mode: Literal["strong", "weak"] = Field(
        default="strong", description="strong: numbers are global; weak: numbers are per process"
    )
