"""What every trained run offers to those who look at it, whatever its kind."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, NamedTuple, TypeVar

import numpy as np
from typing_extensions import Self

from pdehvd.assembly import run_directory as folder
from pdehvd.config.root import Config
from pdehvd.errors import ConfigError
from pdehvd.objectives.base import AnyObjective
from pdehvd.spec import data_files
from pdehvd.spec.plain import Facts
from pdehvd.training import durable
from pdehvd.training.fresh_residuals import TermResidual, fresh_residuals
from pdehvd.training.state import TrainState

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ProblemT = TypeVar("ProblemT")
ObjectiveT = TypeVar("ObjectiveT", bound=AnyObjective)
ReferenceT = TypeVar("ReferenceT")
# What holds at points outside the domain.
Outside = Literal["warn", "nan", "error"]


@dataclass(frozen=True)
class StoredParts(Generic[ProblemT, ObjectiveT, ReferenceT]):
    """The parts of a run, built from its directory, and its state at a checkpoint."""

    directory: Path
    config: Config
    problem: ProblemT
    objective: ObjectiveT
    state: TrainState
    reference: Callable[[], ReferenceT | None]


class Export(NamedTuple):
    """The default name of an export, and what writes it to a path."""

    name: str
    write: Callable[[Path], None]


class Frame(NamedTuple):
    """A picture of a series, and where it was taken."""

    label: str
    picture: Figure


class FieldAnswer(NamedTuple):
    """The solution of a given field: arrays by name, its picture, and how the input was read."""

    arrays: Mapping[str, np.ndarray]
    picture: Figure
    said: str


class Spread(NamedTuple):
    """How far solutions are apart, by output: the relative standard deviation over the domain.

    `errors` are those of the mean of all of them, where there is a reference.
    """

    sizes: Mapping[str, float]
    errors: Mapping[str, float]
    pictures: Mapping[str, Figure]


class TrainedRun(ABC, Generic[ProblemT, ObjectiveT, ReferenceT]):
    """The problem, the objective and the state of a run; a kind adds what its network gives."""

    def __init__(self, parts: StoredParts[ProblemT, ObjectiveT, ReferenceT]) -> None:
        self.directory = parts.directory
        self.config = parts.config
        self.problem = parts.problem
        self.objective = parts.objective
        self._state = parts.state
        self._reference = parts.reference

    @property
    def step(self) -> int:
        """The step of the checkpoint."""
        return self._state.step

    @property
    def summary(self) -> Facts:
        """What the run wrote about itself; empty while it has not ended."""
        return durable.read_json(self.directory / folder.SUMMARY)

    @cached_property
    def reference(self) -> ReferenceT | None:
        """The reference solution; None without one, or, with a warning, if its file is missing."""
        missing = [f for _, f in data_files(self.config.reference) if not Path(f).exists()]
        if missing:
            print(f"warning: no reference, because there is no file {missing[0]}", file=sys.stderr)
            return None
        return self._reference()

    def residuals(self) -> dict[str, TermResidual]:
        """Return each term's residual on the training points and on fresh ones."""
        return fresh_residuals(self.objective, self._state)

    @property
    def unknowns(self) -> dict[str, float]:
        """The values of the unknowns."""
        found = self.objective.unknowns(self._state.theta)
        return {name: float(value) for name, value in found.items()}

    @property
    def true_unknowns(self) -> dict[str, float]:
        """The true values of the unknowns, as far as the reference knows them."""
        return {}

    @property
    def labels(self) -> Mapping[str, str]:
        """What pictures and the report call names of the problem; by default as they are."""
        return {}

    @property
    def monitors(self) -> dict[str, float]:
        """The values of the monitors."""
        return {}

    @property
    def expected_monitors(self) -> dict[str, float]:
        """The values that monitors should have, as far as they are known."""
        return {}

    @property
    def measured_fields(self) -> tuple[str, ...]:
        """The fields of which tables hold measured values."""
        return ()

    @property
    def place(self) -> str:
        """The values that `at` has chosen, as a part of a file's name; empty without any."""
        return ""

    def at(self, given: Mapping[str, float]) -> Self:
        """Return the same run, looked at where some coordinates have chosen values.

        Raises `ConfigError` where the network has no such coordinates.

        Arguments:
            given: values by the names of coordinates and parameters
        """
        if given:
            raise ConfigError(
                f"'{next(iter(given))}': this run's network maps fields, not points",
                ("at",),
                "no 'at'",
            )
        return self

    @abstractmethod
    def fields_at(self, given: object, outside: Outside) -> tuple[dict[str, np.ndarray], str]:
        """Return every field at given points, or of given inputs, by name, and a warning or "".

        `outside` says what to do outside the domain: "warn", "nan" or "error".
        Raises `ConfigError` for what the network cannot take.

        Arguments:
            given: what `Run.predict` was given: points [N, D], or inputs [B, *n]
            outside: what holds outside the domain: "warn", "nan" or "error"
        """

    def evaluate(self, count: int) -> Facts:
        """Return what `evaluation.json` holds: errors by measure and field, and unknowns.

        `count` is the number of points to measure at, where that can be chosen. Without a
        reference there are only the unknowns.

        Arguments:
            count: the number of points to measure at, where that can be chosen
        """
        return {"unknowns": {name: {"value": value} for name, value in self.unknowns.items()}}

    def figures(self) -> dict[str, Figure]:
        """Return pictures of the solution by name; those of the history are the same for all."""
        return {}

    def spread(self, others: Sequence[Self]) -> Spread:
        """Return how far the solutions of this run and of others are apart; by default nothing.

        Arguments:
            others: runs of the same config with other seeds
        """
        return Spread({}, {}, {})

    def series(self) -> dict[str, list[Frame]]:
        """Return series of pictures by the name of what varies in them, for the report."""
        return {}

    def exporter(self, format: str, resolution: int | None) -> Export:
        """Return the export of the run in a format. Raises `ConfigError` if it has none.

        Arguments:
            format: `vtk`, `npz`, `savedmodel`
            resolution: nodes along each coordinate; None: a default
        """
        raise ConfigError(
            f"the problem {self.config.problem.name} cannot be exported",
            ("format",),
            "the values that Run(...).predict returns in Python",
        )

    def columns_of_points(self) -> tuple[str, ...]:
        """Return the coordinates of the points that `fields_at` takes. Raises `ConfigError`."""
        raise ConfigError("this run's network takes no points", ("points",), "--field FILE")

    def solve_field(self, file: Path, key: str | None, range_: str | None) -> FieldAnswer:
        """Return the solution of the input fields in a file; see `read_fields_file`.

        Raises `ConfigError` where the network takes no fields, or not these.

        Arguments:
            file: with one field, NPZ, NPY or text
            key: of the field in the file
            range_: `low:high`, to which values are scaled
        """
        raise ConfigError(
            "this run's network takes no input fields", ("field",), "--points FILE.csv"
        )
