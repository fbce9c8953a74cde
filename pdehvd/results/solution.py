"""Solution and reference of a network of coordinates, at points."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from pdehvd.problems.geometry import Domain
from pdehvd.results.trained_points import TrainedAtPoints

CHUNK = 65_536
# Derivatives need more memory.
RESIDUALS = 16_384


def in_chunks(trained: TrainedAtPoints, points: np.ndarray) -> dict[str, np.ndarray]:
    """Return every output, [N], at points [N, D], a chunk at a time."""
    parts = [
        trained.predict(points[start : start + CHUNK])
        for start in range(0, max(len(points), 1), CHUNK)
    ]
    return {
        field: np.concatenate([np.asarray(part[field]) for part in parts])
        for field in trained.problem.outputs
    }


def residuals_at(trained: TrainedAtPoints, points: np.ndarray) -> dict[str, np.ndarray]:
    """Return the residual of each equation, [N], at points [N, D], a chunk at a time."""
    parts = [
        trained.equation_residuals(points[start : start + RESIDUALS])
        for start in range(0, max(len(points), 1), RESIDUALS)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def solution_at(trained: TrainedAtPoints, points: np.ndarray) -> dict[str, np.ndarray]:
    """Return every output in float64, [N], at points [N, D]."""
    values = in_chunks(trained, points)
    return {field: value.astype(np.float64) for field, value in values.items()}


def truth(trained: TrainedAtPoints, points: np.ndarray) -> dict[str, np.ndarray]:
    """Return the reference in float64, [N], for the outputs that it knows; none without one."""
    if trained.reference is None:
        return {}
    values = trained.reference(points)
    return {
        field: np.asarray(values[field], dtype=np.float64)
        for field in trained.problem.outputs
        if field in values
    }


def free_constants(trained: TrainedAtPoints) -> tuple[str, ...]:
    """Return the fields that are determined up to a constant, as the reference says."""
    return () if trained.reference is None else trained.reference.up_to_constant


def compare_at(
    trained: TrainedAtPoints, points: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return solution and reference, [N] a field, at points of one time.

    A field that is determined up to a constant is moved by its mean difference to the reference,
    one that is determined up to its sign has that of the reference.
    """
    values, truths = solution_at(trained, points), truth(trained, points)
    values = turned(values, truths, trained.problem.up_to_sign)
    for name in set(free_constants(trained)) & set(truths):
        difference = values[name] - truths[name]
        known = np.isfinite(difference)
        if known.any():
            values[name] = values[name] - difference[known].mean()
    return values, truths


def turned(
    values: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray], names: Collection[str]
) -> dict[str, np.ndarray]:
    """Return values [N], those of `names` with the sign that is closer to other ones."""
    found = dict(values)
    for name in set(names) & set(others):
        known = np.isfinite(others[name])
        if float(np.sum(values[name][known] * others[name][known])) < 0:
            found[name] = -values[name]
    return found


def span(bounds: np.ndarray, count: int) -> np.ndarray:
    """Return `count` equally spaced numbers from the lower bound to the upper."""
    return np.linspace(float(bounds[0]), float(bounds[1]), count)


def line(trained: TrainedAtPoints, count: int) -> tuple[int, np.ndarray]:
    """Return the axis of the one coordinate that is not fixed, and points [N, D] along it."""
    domain = trained.problem.domain
    (along,) = (axis for axis, name in enumerate(domain.names) if name not in trained.fixed)
    points = line_along(trained, along, count)
    return along, points[np.asarray(domain.contains(points), dtype=bool)]


def line_along(trained: TrainedAtPoints, along: int, count: int) -> np.ndarray:
    """Return points [count, D] along a coordinate, at the values of those that are fixed."""
    domain = trained.problem.domain
    bounds = np.asarray(domain.bounds, dtype=float)
    points = np.zeros((count, len(bounds)))
    for name, at in trained.fixed.items():
        points[:, domain.names.index(name)] = at
    points[:, along] = span(bounds[along], count)
    return points


def values_along(domain: Domain, name: str, count: int) -> np.ndarray:
    """Return values from the lowest to the highest; of a parameter by their shares."""
    if name not in domain.parameters:
        return span(np.asarray(domain.bounds, dtype=float)[domain.names.index(name)], count)
    values: np.ndarray = domain.at_shares([name], np.linspace(0.0, 1.0, count)[:, None])[:, 0]
    return values
