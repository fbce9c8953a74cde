"""Judges: they warn where the answer of a run may be wrong although its loss is small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Generic, Protocol, TypeVar

from pdehvd.assembly.spread import Spread
from pdehvd.objectives.base import AnyObjective
from pdehvd.training.state import TrainState

ObjectiveT = TypeVar("ObjectiveT", bound=AnyObjective)


class Warned(Protocol):
    """A warning, `text` as people read it."""

    @property
    def text(self) -> str: ...


class Judge(Generic[ObjectiveT]):
    """Warns about what is doubtful in a run; this one never warns.

    One process may ask alone: there is no collective, and all numbers are those of the whole run.
    """

    @property
    def before(self) -> Sequence[Warned]:
        """The warnings before training."""
        return ()

    def after(
        self, objective: ObjectiveT, state: TrainState, errors: Mapping[str, float]
    ) -> Sequence[Warned]:
        """Return the warnings about a trained state with its relative errors by field."""
        return ()

    def relative(self, errors: Mapping[str, float]) -> dict[str, float]:
        """Return those of the errors by field that are relative to the size of their field."""
        return dict(errors)

    def spread(self, state: TrainState) -> Spread | None:
        """Return how sure the discovered numbers are, None where nothing says so."""
        return None

    @property
    def deviating(self) -> Set[str]:
        """The fields whose relative errors are those of their deviation from their mean."""
        return frozenset()

    def unknown_errors(self, found: Mapping[str, float]) -> dict[str, float]:
        """Return the relative errors of the unknowns of which the reference knows the truth."""
        return {}
