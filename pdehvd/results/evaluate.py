"""What there is to measure of a run: errors against its reference, residuals."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from pdehvd.assembly.run_directory import EVALUATION
from pdehvd.errors import ConfigError
from pdehvd.problems.evaluation import error_sums, evaluation_points, relative_l2, time_slices
from pdehvd.results.evaluate_samples import evaluate_samples
from pdehvd.results.solution import (
    RunLike,
    Trained,
    free_constants,
    opened,
    predict,
    true_unknowns,
    truth,
)
from pdehvd.results.trained_grid import TrainedOnGrid
from pdehvd.training.durable import write_json

POINTS = 40_000


def evaluate(run: RunLike, count: int = POINTS) -> dict[str, Any]:
    """Measure a run on a dense set, write `evaluation.json` and return it.

    `residuals`: of each term the root mean square on the `trained` points, and on as many `fresh`
    ones; of an energy its mean. With a reference also, for each field: relative_l2 =
    sqrt(sum (u - ref)^2) / sqrt(sum ref^2), maximum_error = max |u - ref|, rmse =
    sqrt(mean (u - ref)^2). A field that is determined up to a constant is first moved by the mean
    difference at each time. Of an unknown: |value - true| / |true|. A generative model is measured
    on its held-out samples, see `evaluate_samples`.
    """
    trained = opened(run)
    result: dict[str, Any] = {"unknowns": {n: {"value": v} for n, v in trained.unknowns.items()}}
    if trained.reference is not None:
        on_grid = isinstance(trained, TrainedOnGrid)
        result = evaluate_samples(trained) if on_grid else _at_points(trained, count)
    result["residuals"] = {name: pair._asdict() for name, pair in trained.residuals().items()}
    write_json(Path(trained.directory) / EVALUATION, result)
    return result


def _at_points(trained: Trained, count: int) -> dict[str, Any]:
    """Return the errors of fields and unknowns against the reference."""
    points = evaluation_points(trained.problem.domain, count)
    slices, slice_count = time_slices(trained.problem.domain, points)
    values, truths = predict(trained, points), truth(trained, points)
    free = free_constants(trained)
    fields = {
        field: _errors(values[field], truths[field], slices, slice_count, field in free)
        for field in truths
    }
    result: dict[str, Any] = {"points": len(points)}
    for measure in ("relative_l2", "maximum_error", "rmse"):
        result[measure] = {field: errors[measure] for field, errors in fields.items()}
    result["points_without_reference"] = int(
        max((np.sum(~np.isfinite(exact)) for exact in truths.values()), default=0)
    )
    result["up_to_constant"] = [field for field in free if field in truths]
    result["unknowns"] = {
        name: {
            "value": trained.unknowns[name],
            "true": true,
            "error": _relative(trained.unknowns[name], true),
        }
        for name, true in true_unknowns(trained).items()
    }
    return result


def _errors(
    value: np.ndarray, exact: np.ndarray, slices: np.ndarray, slice_count: int, free: bool
) -> dict[str, float]:
    """Return the measures of one field."""
    sums = error_sums(value, exact, slices, slice_count)
    count = sums[:, 0].sum()
    if count == 0:
        raise ConfigError(
            "the reference has no finite value in the domain", ("problem", "reference")
        )
    if free:
        shift = sums[:, 1] / np.maximum(sums[:, 0], 1.0)
        value = value - shift[slices]
        sums = error_sums(value, exact, slices, slice_count)
    distance = np.abs(value - exact)[np.isfinite(exact)]
    return {
        "relative_l2": relative_l2(sums),
        "maximum_error": float(distance.max()),
        "rmse": math.sqrt(float(sums[:, 2].sum() / count)),
    }


def _relative(value: float, true: float) -> float:
    return abs(value - true) / abs(true) if true else math.nan
