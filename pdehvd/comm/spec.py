"""Sections about processes: how many, with how many threads, and what the sampling numbers count."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pdehvd.spec import Spec


class ProcessesSpec(Spec):
    """How the processes are started; the defaults suit one machine."""

    np: int | None = Field(None, ge=1, le=1_000_000, description="processes; --np wins over it; null: 1")
    threads: int | None = Field(
        None, ge=1, le=4096, description="threads per process; null: cores divided by processes"
    )
    cycle_time: float = Field(
        0.1,
        gt=0,
        le=1000,
        allow_inf_nan=False,
        description="how often Horovod looks for work, in milliseconds (HOROVOD_CYCLE_TIME)",
    )
    bind: bool | None = Field(
        None, description="pin every process to its cores; null: only where each has its own"
    )
    oversubscribe: bool = Field(True, description="allow more processes than cores")


class ScalingSpec(Spec):
    """Whether the numbers under `sampling` count all processes together or each one."""

    mode: Literal["strong", "weak"] = Field(
        "strong", description="strong: numbers are global; weak: numbers are per process"
    )
