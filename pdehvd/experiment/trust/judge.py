"""The warnings of a run: what its problem and its result say about each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from pdehvd.experiment.config import Config
from pdehvd.experiment.trust import result, scales
from pdehvd.experiment.trust.after import after_training
from pdehvd.experiment.trust.before import before_training
from pdehvd.experiment.trust.caution import Caution
from pdehvd.experiment.trust.mending import accepted
from pdehvd.training.state import TrainState


class Judge:
    """Says what is doubtful about a run at points; about one on a grid it says nothing.

    One process may ask alone: there is no collective, and all numbers are those of the whole run.
    """

    def __init__(self, config: Config, problem: Any, reference: Any) -> None:
        self.config = config
        self._scales = (
            scales.gather(config, problem, reference) if config.problem.kind == "points" else None
        )

    @cached_property
    def before(self) -> list[Caution]:
        """The warnings before training."""
        return [] if self._scales is None else self._tried(before_training(self._scales))

    def after(
        self, objective: Any, state: TrainState, errors: Mapping[str, float]
    ) -> list[Caution]:
        """Return the warnings about a trained state with its relative errors by field."""
        if self._scales is None:
            return []
        facts = result.gather(self._scales, self.before, objective, state, errors)
        return self._tried(after_training(facts))

    def _tried(self, cautions: list[Caution]) -> list[Caution]:
        """Return warnings without lines that this config cannot take."""
        return [
            c if not c.mend or accepted(self.config, c.mend) else replace(c, mend={})
            for c in cautions
        ]


def far_from_reference(errors: Mapping[str, float]) -> str:
    """Return in words which fields are off by a tenth of their size or more; empty where none."""
    far = [
        f"{field} is off by {error:.0%} of its size"
        for field, error in errors.items()
        if error > result.WRONG
    ]
    return f"the answer is wrong: {', '.join(far)}" if far else ""
