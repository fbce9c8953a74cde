"""Errors of a network of coordinates against its reference, at points of the domain."""

from __future__ import annotations

import math

import numpy as np

from pdehvd.errors import ConfigError
from pdehvd.problems.evaluation import (
    constants,
    error_sums,
    evaluation_points,
    relative_l2,
    time_slices,
)
from pdehvd.results.sections import SHARES
from pdehvd.results.solution import free_constants, truth, turned
from pdehvd.results.trained_points import TrainedAtPoints
from pdehvd.spec.plain import Facts


def evaluate_points(trained: TrainedAtPoints, count: int) -> Facts:
    """Compare a run with its reference at about `count` points, by default those of its training.

    For each field: relative_l2 = sqrt(sum (u - ref)^2) / sqrt(sum ref^2), maximum_error =
    max |u - ref|, rmse = sqrt(mean (u - ref)^2). A field that is determined up to a constant is
    first moved by the mean difference at each time and parameter, a mode of an eigenproblem has the
    sign of its reference. Of an unknown:
    |value - true| / |true|. `at_values`: the relative errors at single values of parameters.
    """
    names = trained.problem.domain.names
    fixed = {names.index(name): value for name, value in trained.fixed.items()}
    points = evaluation_points(trained.problem.domain, count, fixed)
    slices, slice_count = time_slices(trained.problem.domain, points)
    values, truths = trained.measured(points), truth(trained, points)
    free, signless = free_constants(trained), trained.problem.up_to_sign
    values = turned(values, truths, signless)
    fields = {
        field: _errors(values[field], truths[field], slices, slice_count, field in free)
        for field in truths
    }
    result: Facts = {"at": dict(trained.fixed)} if trained.fixed else {}
    result["points"] = len(points)
    for measure in ("relative_l2", "maximum_error", "rmse"):
        result[measure] = {field: errors[measure] for field, errors in fields.items()}
    result["points_without_reference"] = int(
        max((np.sum(~np.isfinite(exact)) for exact in truths.values()), default=0)
    )
    result["up_to_constant"] = [field for field in free if field in truths]
    if signless:
        result["up_to_sign"] = [field for field in signless if field in truths]
    result["unknowns"] = {
        name: {
            "value": trained.unknowns[name],
            "true": true,
            "error": _relative(trained.unknowns[name], true),
        }
        for name, true in trained.true_unknowns.items()
    }
    places = _places(trained)
    if places:
        errors = [evaluate_points(trained.at(place), count)["relative_l2"] for place in places]
        result["at_values"] = [
            {"at": place, "relative_l2": error} for place, error in zip(places, errors, strict=True)
        ]
    return result


def _places(trained: TrainedAtPoints) -> list[dict[str, float]]:
    """Return the lowest, middle and highest value of each parameter, the others in the middle.

    An error over all values hides where a solution is bad.
    """
    domain = trained.problem.domain
    names = [name for name in domain.parameters if name not in trained.fixed]
    if not names:
        return []
    middle, places = np.full(len(names), 0.5), []
    for number in range(len(names)):
        for share in SHARES:
            shares = middle.copy()
            shares[number] = share
            values = domain.at_shares(names, shares[None])[0].tolist()
            places.append(dict(zip(names, values, strict=True)))
    return [place for number, place in enumerate(places) if place not in places[:number]]


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
        value = value - constants(sums)[slices]
        sums = error_sums(value, exact, slices, slice_count)
    distance = np.abs(value - exact)[np.isfinite(exact)]
    return {
        "relative_l2": relative_l2(sums),
        "maximum_error": float(distance.max()),
        "rmse": math.sqrt(float(sums[:, 2].sum() / count)),
    }


def _relative(value: float, true: float) -> float:
    return abs(value - true) / abs(true) if true else math.nan
