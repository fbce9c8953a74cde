"""The warnings of a run: what its problem and its result say about each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pdehvd.assembly.judge import Judge
from pdehvd.assembly.spread import Spread
from pdehvd.assembly.trust import problem_scales, trained_state
from pdehvd.assembly.trust.after_training import after_training
from pdehvd.assembly.trust.before_training import before_training
from pdehvd.assembly.trust.caution import Caution
from pdehvd.assembly.trust.suggested_fixes import accepted, mended
from pdehvd.assembly.trust.uncertainty import spread
from pdehvd.config.root import Config
from pdehvd.errors import essence
from pdehvd.objectives.objective import PDEObjective
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.reference.base import Reference
from pdehvd.training.state import TrainState


@dataclass(frozen=True)
class PointJudge(Judge[PDEObjective]):
    """Says what is doubtful about a run of a network of coordinates."""

    config: Config
    problem: PDEProblem
    reference: Reference | None

    @cached_property
    def before(self) -> list[Caution]:
        """The warnings before training."""
        return self._examined(lambda: before_training(self._scales))

    def after(
        self, objective: PDEObjective, state: TrainState, errors: Mapping[str, float]
    ) -> list[Caution]:
        """Return the warnings about a trained state with its relative errors by field."""

        def look() -> list[Caution]:
            found = {n: float(v) for n, v in objective.unknowns(state.theta).items()}
            known = self.relative(errors) | self.unknown_errors(found)
            facts = trained_state.gather_result(self._scales, self.before, objective, state, known)
            return after_training(facts)

        return self._examined(look)

    def spread(self, state: TrainState) -> Spread | None:
        """Return standard deviations of the unknowns where data with noise give them."""
        try:
            return spread(self.config, self.problem, state)
        except Exception:
            # A singular matrix, or numbers that are not finite: they must not lose a result.
            return None

    def relative(self, errors: Mapping[str, float]) -> dict[str, float]:
        """Return the errors of fields whose reference is not zero; those of others are absolute.

        Where a reference deviates little from its mean, its error is relative to the deviation.
        """
        zero = problem_scales.zero_references(self.problem, self.reference)
        larger = self._offsets
        return {f: error * larger.get(f, 1.0) for f, error in errors.items() if f not in zero}

    @property
    def deviating(self) -> Set[str]:
        """The fields whose errors are relative to their deviation from their mean."""
        return self._offsets.keys()

    @cached_property
    def _offsets(self) -> dict[str, float]:
        return problem_scales.offset_references(self.config, self.problem, self.reference)

    def unknown_errors(self, found: Mapping[str, float]) -> dict[str, float]:
        """Return the relative errors of the unknowns of which the reference knows the truth."""
        true = {} if self.reference is None else self.reference.unknowns
        return {n: abs(v / true[n] - 1) for n, v in found.items() if true.get(n)}

    @cached_property
    def _scales(self) -> problem_scales.Scales:
        return problem_scales.gather_scales(self.config, self.problem, self.reference)

    def _examined(self, look: Callable[[], list[Caution]]) -> list[Caution]:
        """Return warnings without lines that this config cannot take."""
        try:
            # Estimates may overflow; what is not finite is left out of them.
            with np.errstate(all="ignore"):
                return [self._acceptable(caution) for caution in look()]
        except Exception as error:
            # Advice that cannot be given must not keep anybody from training, or lose a result.
            return [
                Caution(
                    "unexamined",
                    f"this problem could not be examined: {type(error).__name__}: "
                    f"{essence(str(error))}",
                )
            ]

    def _acceptable(self, caution: Caution) -> Caution:
        good = not caution.mend or (
            accepted(self.config, caution.mend)
            # What the config has already is no advice.
            and mended(self.config, caution.mend) != self.config
        )
        return caution if good else replace(caution, mend={})


def far_from_reference(errors: Mapping[str, float], deviating: Set[str] = frozenset()) -> str:
    """Return in words what is off by a tenth of its size or more; empty where nothing is.

    The errors of `deviating` fields are relative to their deviation from their mean.
    """
    far = [
        f"{name} is off by {error:.0%} of its {trained_state.error_measure(name, deviating)}"
        for name, error in errors.items()
        if error > trained_state.WRONG
    ]
    return f"the answer is wrong: {', '.join(far)}" if far else ""
