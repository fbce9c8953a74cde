"""The fields of a run at a user's own points, inside the domain or outside it."""

from __future__ import annotations

from typing import get_args

import numpy as np

from pdehvd.assembly.trained_run import Outside
from pdehvd.errors import ConfigError, counted, nearest
from pdehvd.problems.outside import farthest, is_outside
from pdehvd.results.point_input import GivenPoints, read_points
from pdehvd.results.solution import in_chunks
from pdehvd.results.trained_points import TrainedAtPoints


def fields_at(
    trained: TrainedAtPoints, given: object, outside: Outside = "warn"
) -> tuple[dict[str, np.ndarray], str]:
    """Return every field at given points, and a sentence about those outside the domain, or "".

    Outside there are values with "warn" and NaN with "nan". Raises ConfigError for what is not
    set of points, for points outside with "error", and for coordinates that are not finite with
    "warn" and "error".
    """
    check_outside(outside)
    points = read_points(given, trained.problem.coordinates)
    # A point that is far away gets a sentence, not NumPy's words for large numbers.
    with np.errstate(over="ignore", invalid="ignore"):
        values, warning = _values(trained, points, outside)
    return {name: value.reshape(points.shape) for name, value in values.items()}, warning


def check_outside(choice: str) -> Outside:
    """Return a choice of what to do outside the domain. Raises `ConfigError` for another text."""
    choices: tuple[Outside, ...] = get_args(Outside)
    for known in choices:
        if choice == known:
            return known
    raise ConfigError(
        f"unknown choice {choice!r}",
        ("outside",),
        "one of " + ", ".join(choices),
        nearest(str(choice), choices),
    )


def _values(
    trained: TrainedAtPoints, points: GivenPoints, outside: Outside
) -> tuple[dict[str, np.ndarray], str]:
    """Return every field [N], and the sentence."""
    beyond = _beyond(trained, points, outside)
    warning = _warning(trained, points.x, beyond) if beyond.any() and outside != "nan" else ""
    if warning and outside == "error":
        raise ConfigError(warning)
    values = in_chunks(trained, points.x)
    if outside == "nan":
        values = {name: np.where(beyond, np.nan, value) for name, value in values.items()}
    return values, warning


def _beyond(trained: TrainedAtPoints, points: GivenPoints, outside: Outside) -> np.ndarray:
    """Return which points [N] lie outside the domain, those that are not finite among them."""
    known = np.isfinite(points.x)
    finite = known.all(axis=1)
    if not finite.all() and outside != "nan":
        row, column = np.argwhere(~known)[0]
        name = trained.problem.coordinates[column]
        raise ConfigError(
            f"point {row} (counted from 0) has {name} = {points.x[row, column]}",
            (),
            'finite numbers, or outside="nan", which gives NaN there',
        )
    beyond = ~finite
    beyond[finite] = is_outside(trained.problem.domain, points.x[finite], points.rounding)
    values: np.ndarray = beyond
    return values


def _warning(trained: TrainedAtPoints, x: np.ndarray, beyond: np.ndarray) -> str:
    return (
        f"{np.count_nonzero(beyond)} of {counted(len(x), 'point')} outside the domain, where the "
        f"network has not been trained: {farthest(trained.problem.domain, x[beyond])}; "
        'outside="nan" gives NaN there'
    )
