"""Kinds of problems: a class for each, with all that differs between points, grids and others.

Code that assembles, trains and shows a run uses the kind of its problem, and makes no distinction
of its own. `register_kind` adds a kind, `kind_of` finds that of a config.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from pdehvd.assembly.cost import Cost
from pdehvd.assembly.judge import Judge
from pdehvd.assembly.trained_run import TrainedRun
from pdehvd.comm.aggregation import ExactSum
from pdehvd.comm.group import Group
from pdehvd.config.root import Config
from pdehvd.errors import ConfigError
from pdehvd.objectives.base import AnyObjective
from pdehvd.spec import Spec
from pdehvd.spec.plain import Facts
from pdehvd.training.evaluator import Evaluator
from pdehvd.training.monitors import Monitors

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Problem(Protocol):
    """What every problem has: items, which are divided over the ranks, and notes for the user."""

    @property
    def items(self) -> int:
        """Global number of items in a batch; each rank needs one."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that a user must read before the training."""


ProblemT = TypeVar("ProblemT", bound=Problem)
# The batch is the objective's own affair.
ObjectiveT = TypeVar("ObjectiveT", bound=AnyObjective)
ReferenceT = TypeVar("ReferenceT")


class Kind(ABC, Generic[ProblemT, ObjectiveT, ReferenceT]):
    """One kind of problem, named by `kind` of its spec.

    `networks` and `items` are the names in messages of its networks and of what is divided over the
    ranks; `items_key` is the key under `sampling` that sets their number. `images` says that its
    networks are convolutions, which need other settings of threads; `micro_batched` that its
    objective can evaluate a shard in parts, `bucketed` that its gradient can be sent in several
    messages.
    """

    name: ClassVar[str]
    networks: ClassVar[str]
    items: ClassVar[str]
    items_key: ClassVar[str]
    images: ClassVar[bool] = False
    micro_batched: ClassVar[bool] = False
    bucketed: ClassVar[bool] = False

    def fits(self, section: str, spec: type[Spec]) -> bool:
        """Return whether a section (sampling, model, reference) may name this spec.

        Arguments:
            section: its key
            spec: a class
        """
        return spec.kind == self.name

    def check(self, config: Config) -> None:
        """Raise `ConfigError` where sections of a config contradict this kind.

        Arguments:
            config: the whole config
        """

    def resolved(self, config: Config, stored: Facts | None = None) -> Facts:
        """Return entries of the section `problem` that are found before training.

        Arguments:
            config: the whole config
            stored: that section of the run that is resumed
        """
        return {}

    @abstractmethod
    def build_problem(self, config: Config, factor: int) -> ProblemT:
        """Return the problem with `factor` times as many items (weak scaling).

        Arguments:
            config: the whole config
            factor: how many times the items of the config; 1 unless scaling is weak
        """

    def chunks(self, config: Config, hook: ExactSum, items: int) -> int:
        """Return into how many chunks an exact aggregation cuts a batch.

        Raises `ConfigError` where it cannot; here for a kind whose objective has no chunks.

        Arguments:
            config: the whole config
            hook: its aggregation
            items: the global number of items in a batch
        """
        raise ConfigError(
            f"'{hook.name}' works on chunks, which {self.networks} do not support",
            ("aggregation",),
            "global_mean",
        )

    @abstractmethod
    def build_objective(self, config: Config, problem: ProblemT, group: Group) -> ObjectiveT:
        """Return the objective of a problem with the config's model and aggregation.

        Arguments:
            config: the whole config
            problem: what `build_problem` has returned
            group: the processes
        """

    def check_memory(self, config: Config, objective: ObjectiveT) -> None:
        """Raise `ConfigError` where a step of a machine's processes needs more than it has.

        Arguments:
            config: the whole config
            objective: what `build_objective` has returned
        """

    def build_reference(self, config: Config, problem: ProblemT) -> ReferenceT | None:
        """Return the reference solution, or None. A `ConfigError` is within problem.reference.

        Arguments:
            config: the whole config
            problem: what `build_problem` has returned
        """
        return None

    def evaluator(
        self, objective: ObjectiveT, reference: ReferenceT
    ) -> Evaluator[ReferenceT] | None:
        """Return what measures the distance to the reference while a run trains.

        Arguments:
            objective: what `build_objective` has returned
            reference: what `build_reference` has returned
        """
        return None

    def monitors(self, objective: ObjectiveT) -> Monitors | None:
        """Return what follows numbers of interest while a run trains, or None.

        Arguments:
            objective: what `build_objective` has returned
        """
        return None

    @abstractmethod
    def cost(self, config: Config, objective: ObjectiveT, processes: int) -> Cost:
        """Return estimates of what a step costs; they need not build anything.

        Arguments:
            config: the whole config
            objective: what `build_objective` has returned
            processes: their number
        """

    def domain_picture(self, problem: ProblemT) -> Figure:
        """Return a picture of the domain and its conditions. Raises `ConfigError` without one.

        Arguments:
            problem: what `build_problem` has returned
        """
        raise ConfigError(
            f"the domain can be drawn for problems at points only, not for {self.networks}",
            (),
            "no --plot",
        )

    def judge(
        self, config: Config, objective: ObjectiveT, reference: ReferenceT | None
    ) -> Judge[ObjectiveT]:
        """Return what warns where an answer may be wrong; by default it never warns.

        Arguments:
            config: the whole config
            objective: what `build_objective` has returned
            reference: the same as for `evaluator`, or None
        """
        return Judge()

    @abstractmethod
    def open(
        self, directory: Path, config: Config, which: str
    ) -> TrainedRun[ProblemT, ObjectiveT, ReferenceT]:
        """Return the run in a directory at its checkpoint `which`. Raises `ConfigError`.

        Arguments:
            directory: of the run
            config: the one in it
            which: `latest`, `best` or the name of a checkpoint
        """


# A config names its kind, so which classes belong together is not known before it is read.
AnyKind = Kind[Any, Any, Any]
AnyRun = TrainedRun[Any, Any, Any]
