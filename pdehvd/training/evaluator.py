"""What measures errors against the reference while a run trains, divided over the ranks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from pdehvd.training.state import TrainState

ReferenceT = TypeVar("ReferenceT")


class ErrorMeasures(NamedTuple):
    """The relative L2 error by field, and other measures by the names that metrics give them."""

    relative_l2: dict[str, float]
    others: dict[str, float]


class Evaluator(ABC, Generic[ReferenceT]):
    """Measures how far a state is from the reference; the same numbers on every rank."""

    reference: ReferenceT

    @abstractmethod
    def __call__(self, state: TrainState) -> ErrorMeasures:
        """Return the errors of a state; every rank calls it."""


# A trainer needs to know nothing of the reference.
AnyEvaluator: TypeAlias = Evaluator[Any]
