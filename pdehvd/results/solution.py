"""What looking at a run needs of it, whether it has just been trained or is read from disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pdehvd.training.fresh_residuals import TermResidual

CHUNK = 65_536


class Trained(Protocol):
    """A trained run: its predictor, its reference if there is one, and what is known of it."""

    config: Any
    directory: Path
    problem: Any

    @property
    def reference(self) -> Any:
        """The reference solution, or None."""

    @property
    def unknowns(self) -> dict[str, float]:
        """The numbers that were discovered."""

    @property
    def summary(self) -> dict[str, Any]:
        """What the run wrote about itself."""

    def residuals(self) -> dict[str, TermResidual]:
        """Return each term's residual on the trained points and on fresh ones."""
        ...

    def predict(self, points: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return every field, [N], at points [N, D]."""
        ...

    def module(self) -> Any:
        """Return a tf.Module with a `predict` signature, x [None, D] -> fields."""
        ...


RunLike = Path | str | Trained


def opened(run: RunLike) -> Any:
    """Return a run as it is, or open the run directory it names.

    Raises ConfigError where the directory is no run.
    """
    if not isinstance(run, str | Path):
        return run
    from pdehvd.results.trained_points import open_run

    return open_run(Path(run))


def in_chunks(trained: Trained, points: np.ndarray) -> dict[str, np.ndarray]:
    """Return every field, [N], at points [N, D], a chunk at a time."""
    parts = [
        trained.predict(points[start : start + CHUNK])
        for start in range(0, max(len(points), 1), CHUNK)
    ]
    return {
        field: np.concatenate([np.asarray(part[field]) for part in parts])
        for field in trained.problem.fields
    }


def predict(trained: Trained, points: np.ndarray) -> dict[str, np.ndarray]:
    """Return every field in float64, [N], at points [N, D]."""
    values = in_chunks(trained, points)
    return {field: value.astype(np.float64) for field, value in values.items()}


def truth(trained: Trained, points: np.ndarray) -> dict[str, np.ndarray]:
    """Return the reference in float64, [N], for the fields that it knows; none without one."""
    if trained.reference is None:
        return {}
    values = trained.reference(points)
    return {
        field: np.asarray(values[field], dtype=np.float64)
        for field in trained.problem.fields
        if field in values
    }


def free_constants(trained: Trained) -> tuple[str, ...]:
    """Return the fields that are determined up to a constant, as the reference says."""
    return tuple(getattr(trained.reference, "up_to_constant", ()))


def true_unknowns(trained: Trained) -> dict[str, float]:
    """Return the true values of the unknowns that the reference knows."""
    known = getattr(trained.reference, "unknowns", {})
    return {name: float(known[name]) for name in trained.unknowns if name in known}


def compared(
    trained: Trained, points: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return solution and reference, [N] a field, at points of one time.

    A field that is determined up to a constant is moved by its mean difference to the reference.
    """
    values, truths = predict(trained, points), truth(trained, points)
    for name in set(free_constants(trained)) & set(truths):
        difference = values[name] - truths[name]
        known = np.isfinite(difference)
        if known.any():
            values[name] = values[name] - difference[known].mean()
    return values, truths


def span(bounds: np.ndarray, count: int) -> np.ndarray:
    """Return `count` equally spaced numbers from the lower bound to the upper."""
    return np.linspace(float(bounds[0]), float(bounds[1]), count)
