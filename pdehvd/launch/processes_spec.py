"""Sections about processes: how many, how they run, what the sampling numbers count."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, PrivateAttr, model_validator

from pdehvd.errors import ConfigError
from pdehvd.spec import Spec


class ElasticSpec(Spec):
    """A job whose number of processes follows the available slots, from checkpoint to checkpoint.

    `program` is never read from a config: YAML alone runs no code. The command line sets it.
    """

    min: int = Field(
        default=1, ge=1, le=1_000_000, description="the job waits for at least this many processes"
    )
    max: int = Field(ge=1, le=1_000_000, description="the job uses at most this many processes")
    discovery: str | None = Field(
        default=None,
        min_length=1,
        description="a file of lines host:slots, read regularly; --discovery names a program "
        "that prints such lines",
    )
    every: float = Field(default=5.0, gt=0, le=86_400, description="seconds between reads")
    _program: str | None = PrivateAttr(default=None)

    @property
    def program(self) -> str | None:
        """The program that the command line allowed to be run."""
        return self._program

    @property
    def source(self) -> str:
        """What is asked."""
        return self._program or self.discovery or ""

    def asking(self, folder: Path, program: Path | None) -> ElasticSpec:
        """Return the same with a program, or with the file in the config's folder.

        Raises `ConfigError` without a discovery source.
        """
        spec = self
        if self.discovery is not None:
            spec = self.model_copy(update={"discovery": str((folder / self.discovery).absolute())})
        elif program is None:
            raise ConfigError(
                "elastic job without a discovery source",
                ("processes", "elastic", "discovery"),
                "a file of lines host:slots, or --discovery PROGRAM",
            )
        spec = spec.model_copy()
        spec._program = str(program.absolute()) if program else None
        return spec

    @model_validator(mode="after")
    def _order(self) -> ElasticSpec:
        if self.min > self.max:
            raise ConfigError(f"{self.min} is more than max", ("min",), f"at most {self.max}")
        return self


class ProcessesSpec(Spec):
    """How the processes are started; the defaults suit one machine."""

    np: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="number of processes, overridden by --np; null: 1",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="threads per process; null: cores divided by processes",
    )
    collectives: Literal["auto", "mpi", "horovod"] = Field(
        default="auto",
        description="reduction backend: MPI calls inside compiled programs, or Horovod; auto: MPI "
        "if it started the processes, they compute on CPUs, there is an MPI compiler and no "
        "buckets are sent, otherwise Horovod",
    )
    cycle_time: float = Field(
        default=0.1,
        gt=0,
        le=1000,
        description="cycle time of the Horovod backend: how often it looks for work, in "
        "milliseconds (HOROVOD_CYCLE_TIME)",
    )
    fusion: float | None = Field(
        default=None,
        ge=0,
        le=2**20,
        description="how much the Horovod backend packs into one message, in MiB "
        "(HOROVOD_FUSION_THRESHOLD); null: its own choice",
    )
    buckets: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="messages for the gradient of a large network, each sent as soon as it is "
        "ready, while the rest is still computed",
    )
    bind: bool | None = Field(
        default=None,
        description="pin every process to its cores; null: only where each has its own",
    )
    oversubscribe: bool = Field(
        default=True, description="allow oversubscription: more processes than cores"
    )
    restarts: int | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        description="how many failures the launcher survives by resuming from the last checkpoint; "
        "null: none, 100 for an elastic job",
    )
    shrink: bool = Field(default=False, description="one process fewer after each failure")
    patience: float | None = Field(
        default=600.0,
        gt=0,
        le=1e7,
        description="seconds without progress after which a hanging run is ended, or ten times "
        "the longest call of steps where that is more; null: never",
    )
    patience_at_start: float = Field(
        default=3600.0,
        gt=0,
        le=1e7,
        description="the same until the first steps are done, because compiling takes long, and "
        "while the run ends",
    )
    elastic: ElasticSpec | None = None
    profile: bool = Field(
        default=False,
        description="write into summary.json how a step divides into computing, communication "
        "and waiting, and the memory of every process",
    )

    @property
    def wants_mpi(self) -> bool:
        """Whether MPI's own calls are to add, where they can.

        They wait for each other; only Horovod sends buckets while the rest is computed.
        """
        return self.collectives == "mpi" or (self.collectives == "auto" and self.buckets == 1)

    @property
    def survived(self) -> int:
        """How many deaths a job may have."""
        return self.restarts if self.restarts is not None else 100 if self.elastic else 0


class ScalingSpec(Spec):
    """Whether the numbers under `sampling` count all processes together or each one."""

    mode: Literal["strong", "weak"] = Field(
        default="strong", description="strong: numbers are global; weak: numbers are per process"
    )
