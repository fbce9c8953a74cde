"""Errors of a generative model on held-out samples, and what a sample costs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pdehvd.reference.on_grid import GridReference
from pdehvd.results.trained_grid import TrainedOnGrid
from pdehvd.spec.plain import Facts
from pdehvd.timing import median_seconds
from pdehvd.training.sample_evaluator import GAP, H1, L2, measures

# Solutions that are timed; above this number of nodes one must do.
TIMED, LARGE = 3, 300_000


def evaluate_samples(trained: TrainedOnGrid, reference: GridReference) -> Facts:
    """Compare a run with its reference on the held-out samples.

    relative_l2 and relative_h1 are means over samples of |u - v| / |v| in the norms of finite
    elements, worst_relative_l2 the largest; energy_gap = mean (E(u) - E(v)) / |E(v)|;
    maximum_error = max |u - v|. `seconds` are those of one sample: a forward pass of a batch of
    one, and the reference's solution, on the cores that this process may use.
    """
    problem, field = trained.problem, trained.problem.field
    tables, largest, squares = [], 0.0, 0.0
    size = max(problem.samples.batch, 1)
    for first in range(0, problem.held_out, size):
        numbers = np.arange(first, min(first + size, problem.held_out))
        u, truth, rows = _compared(trained, reference, numbers)
        tables.append(rows)
        largest = max(largest, float(np.abs(u - truth).max()))
        squares += float(np.square(u - truth).mean(axis=tuple(range(1, u.ndim))).sum())
    table = np.concatenate(tables)
    nodes = problem.resolution ** len(problem.coordinates)
    result: Facts = {
        "samples": problem.held_out,
        "points": problem.held_out * nodes,
        "relative_l2": {field: float(table[:, L2].mean())},
        "worst_relative_l2": {field: float(table[:, L2].max())},
        "relative_h1": {field: float(table[:, H1].mean())},
        "maximum_error": {field: largest},
        "rmse": {field: float(np.sqrt(squares / problem.held_out))},
        "relative_l2_by_sample": table[:, L2].tolist(),
        "up_to_constant": [],
        "unknowns": {},
        "seconds": _seconds(trained, reference, nodes),
    }
    if problem.loss != "residual":
        result["energy_gap"] = {field: float(table[:, GAP].mean())}
    return result


def truths(trained: TrainedOnGrid, reference: GridReference, numbers: np.ndarray) -> np.ndarray:
    """Return the reference's solutions [B, *n] of held-out samples."""
    sample = trained.held_out(numbers)
    return np.stack(
        [
            reference.stored(
                {name: field[i] for name, field in sample.fields.items()},
                trained.problem.resolution,
            )
            for i in range(len(numbers))
        ]
    )


def _compared(
    trained: TrainedOnGrid, reference: GridReference, numbers: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return solutions and references [B, *n] of held-out samples and their errors [B, 3]."""
    objective, sample = trained.objective, trained.held_out(numbers)
    u, truth = trained.predict(sample), truths(trained, reference, numbers)
    dtype = objective.dtype
    data = objective.tensors(sample)
    rows = measures(objective, tf.constant(u, dtype), tf.constant(truth, dtype), data)
    return u, truth, rows.numpy().astype(np.float64)


def _seconds(trained: TrainedOnGrid, reference: GridReference, nodes: int) -> dict[str, float]:
    """Return the median times of one sample: the network's and the reference's."""
    one = trained.held_out(np.zeros(1, np.int64))
    inputs = {name: field[0] for name, field in one.fields.items()}
    resolution = trained.problem.resolution
    runs = 1 if nodes > LARGE else TIMED
    return {
        "network": _timed(lambda: trained.predict(one), TIMED, warm=True),
        "reference": _timed(lambda: reference.solve(inputs, resolution), runs, warm=runs > 1),
    }


def _timed(call: Callable[[], object], runs: int, warm: bool) -> float:
    if warm:
        call()
    return median_seconds(call, runs)
