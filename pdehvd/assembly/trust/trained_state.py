"""What a trained state looks like, gathered once on the process that writes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tensorflow as tf

from pdehvd.assembly.trust.caution import Caution, Lines
from pdehvd.assembly.trust.plausible_values import items_of, rms
from pdehvd.assembly.trust.problem_scales import Scales
from pdehvd.assembly.trust.trained_parts import PartResidual, part_residuals
from pdehvd.objectives.batches import ItemPoints
from pdehvd.objectives.objective import PDEObjective
from pdehvd.problems.block import Block
from pdehvd.problems.evaluation import evaluation_points, time_slices
from pdehvd.training.fresh_residuals import TermResidual, fresh_residuals
from pdehvd.training.state import TrainState

POINTS = 2000
# A relative error beyond which an answer is wrong.
WRONG = 0.1
# Points near those of a condition: shares 10^-4 to 10^-1 of the way to some point of the domain.
_NEAR_POINTS, _NEAREST, _FARTHEST = 256, 1e-4, 1e-1


def error_measure(name: str, deviating: Set[str]) -> str:
    """Return in words what the error of a field or an unknown is relative to."""
    return "deviation from its mean" if name in deviating else "size"


@dataclass(frozen=True)
class Result:
    """Fields at points of the domain, residuals, unknowns and errors after the last step.

    `values` [N] by field lie at points [N, D]; `unknowns` are (initial guess, found). `layers` are,
    for conditions that zero fields violate, the largest residual of the equations close to where
    they hold, over its natural size. `parts` are the residuals of single expressions.
    """

    scales: Scales
    residuals: Mapping[str, TermResidual]
    points: np.ndarray
    values: Mapping[str, np.ndarray]
    unknowns: Mapping[str, tuple[float, float]]
    errors: Mapping[str, float]
    layers: Mapping[str, float]
    steps: int
    before: tuple[Caution, ...]
    parts: tuple[PartResidual, ...] = ()

    def remedy(self, otherwise: Lines) -> Lines:
        """Return the lines of the first warning before training, which are nearest to the cause."""
        return next((caution.mend for caution in self.before if caution.mend), otherwise)

    @cached_property
    def sizes(self) -> dict[str, float]:
        """The natural size of every term's residual."""
        return {term.name: term.size for term in self.scales.terms}

    def relative(self, term: str, fresh: bool = False) -> float:
        """Return a term's residual over its natural size; NaN where that is not known."""
        size, residual = self.sizes.get(term, 0.0), self.residuals[term]
        return (residual.fresh if fresh else residual.trained) / size if size else math.nan

    def variation(self, field: str) -> float:
        """Return the standard deviation of a field over the domain."""
        return float(np.std(self.values[field]))

    def sizes_in_time(self, field: str) -> list[float]:
        """Return the root mean square of a field at each time, in order."""
        slices, count = time_slices(self.scales.problem.domain, self.points)
        squares = np.bincount(slices, self.values[field] ** 2, count)
        result: list[float] = np.sqrt(squares / np.bincount(slices, minlength=count)).tolist()
        return result

    def along(self, field: str, coordinate: str) -> float:
        """Return how much a field varies along a coordinate, relative to its size.

        That is the root mean square of its deviations from its means along the coordinate.
        """
        axis = self.scales.problem.coordinates.index(coordinate)
        others = np.delete(self.points, axis, axis=1)
        _, line = np.unique(others, axis=0, return_inverse=True)
        line = line.reshape(-1)
        values = self.values[field]
        means = np.bincount(line, values) / np.bincount(line)
        return rms(values - means[line]) / max(rms(values), 1e-300)


def gather_result(
    scales: Scales,
    before: Sequence[Caution],
    objective: PDEObjective,
    state: TrainState,
    errors: Mapping[str, float],
) -> Result:
    """Return what a state looks like; no collective, so one process may ask alone."""
    problem = scales.problem
    points = evaluation_points(problem.domain, POINTS)
    values = objective.solution(state.theta, tf.constant(points, objective.dtype)).numpy()
    found = {name: float(value) for name, value in objective.unknowns(state.theta).items()}
    return Result(
        scales,
        fresh_residuals(objective, state),
        points,
        {field: values[:, i].astype(np.float64) for i, field in enumerate(problem.fields)},
        {u.name: (u.initial, found[u.name]) for u in problem.unknowns},
        errors,
        {
            block.name: _layer(scales, objective, state, block)
            for block in problem.blocks[1:]
            if block.name in scales.open.against_zero
        },
        state.step,
        tuple(before),
        part_residuals(scales.names, objective, state),
    )


def _layer(scales: Scales, objective: PDEObjective, state: TrainState, block: Block) -> float:
    """Return the largest residual of the equations near a block's points, over its size."""
    domain = scales.problem.domain
    start, inner = (
        np.resize(items_of(own, _NEAR_POINTS).x, (_NEAR_POINTS, len(domain.names)))
        for own in (block, scales.problem.blocks[0])
    )
    share = np.geomspace(_NEAREST, _FARTHEST, 7)[np.arange(_NEAR_POINTS) % 7]
    x = start + share[:, None] * (inner - start)
    x = x[domain.contains(x)]
    size = math.hypot(*(t.size for t in scales.terms if t.name.startswith("equation/")))
    if not len(x) or not size:
        return 0.0
    data = ItemPoints(tf.constant(x, objective.dtype), {})
    residuals = objective.equation_error(state.theta, data).numpy()
    return float(np.max(residuals)) / size
