"""How far the solutions of several runs are apart, which differ by their seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from pdehvd.assembly.trained_run import Spread
from pdehvd.problems.evaluation import evaluation_points
from pdehvd.results.evaluate_points import evaluate_points
from pdehvd.results.plots_points import solution_pictures
from pdehvd.results.solution import solution_at, turned
from pdehvd.results.trained_points import TrainedAtPoints

POINTS = 4000


def spread_of_solutions(runs: Sequence[TrainedAtPoints]) -> Spread:
    """Return the spread of each output, and the error of the mean of all runs.

    Of an output u: sqrt(mean s^2) / sqrt(mean m^2), where m and s are mean and standard deviation
    of u over the runs, at 4,000 points of the domain.
    """
    first = runs[0]

    def each(points: np.ndarray) -> dict[str, np.ndarray]:
        """Return every output of all runs, [R, N]; modes have the sign of the first one."""
        found = [solution_at(run, points) for run in runs]
        alike = [turned(values, found[0], first.problem.up_to_sign) for values in found]
        return {name: np.stack([values[name] for values in alike]) for name in found[0]}

    def mean(points: np.ndarray) -> dict[str, np.ndarray]:
        return {name: values.mean(axis=0) for name, values in each(points).items()}

    def deviation(points: np.ndarray) -> dict[str, np.ndarray]:
        return {name: values.std(axis=0, ddof=1) for name, values in each(points).items()}

    shown = {
        "mean": first.showing(mean, f"mean of {len(runs)} seeds", True),
        "deviation": first.showing(deviation, "standard deviation", False),
    }
    pictures: dict[str, Figure] = {}
    for what, run in shown.items():
        found = solution_pictures(run)
        pictures |= {f"{what}_{name}": picture for name, picture in found.items()}
    values = each(evaluation_points(first.problem.domain, POINTS))
    sizes = {name: _relative(own) for name, own in values.items()}
    known = first.reference is not None
    errors = evaluate_points(shown["mean"], POINTS)["relative_l2"] if known else {}
    return Spread(sizes, errors, pictures)


def _relative(values: np.ndarray) -> float:
    """Return the standard deviation of values [R, N] over R, relative to their mean."""
    squares = np.nanmean(values.var(axis=0, ddof=1)) / np.nanmean(values.mean(axis=0) ** 2)
    return float(np.sqrt(squares))
