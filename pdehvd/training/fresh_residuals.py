"""Residuals on fresh points against those on the points that a run was trained with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pdehvd.objectives.base import Batch, Objective
from pdehvd.training.state import TrainState


class TermResidual(NamedTuple):
    """The root mean square residual of a term on the last trained points and on fresh ones.

    Of a term that is not a mean square, an energy: the loss itself.
    """

    trained: float
    fresh: float


def fresh_residuals(objective: Objective[Batch], state: TrainState) -> dict[str, TermResidual]:
    """Return both numbers for every term of the loss; no collective, so any one rank may ask.

    A condition at given points, or an integral, has no others: both of its numbers are equal.
    """
    period = objective.period
    # New points are drawn after the last step with the old ones; chosen ones are then known only.
    last = state.step if state.selection is not None else max(state.step - 1, 0)
    round_ = last // period if period else 0
    trained = objective.whole(round_, state.selection).losses(state.theta, state.moments)
    fresh = objective.whole(None).losses(state.theta, state.moments)
    if not objective.signed:
        trained, fresh = np.sqrt(trained), np.sqrt(fresh)
    pairs = zip(trained.tolist(), fresh.tolist(), strict=True)
    return {name: TermResidual(*pair) for name, pair in zip(objective.terms, pairs, strict=True)}
