"""How far the solutions of several runs are apart, which differ by their seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from pdehvd.assembly.trained_run import Spread
from pdehvd.problems.evaluation import evaluation_points
from pdehvd.results.evaluate_points import evaluate_points
from pdehvd.results.plots_points import solution_pictures
from pdehvd.results.solution import sign_of
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
        found = [run.predict(points) for run in runs]
        for values in found[1:]:
            for name in first.problem.up_to_sign:
                values[name] = values[name] * sign_of(values[name], found[0][name])
        return {
            name: np.stack([np.asarray(values[name], np.float64) for values in found])
            for name in first.problem.outputs
        }

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
    points = evaluation_points(first.problem.domain, POINTS)
    means, deviations = mean(points), deviation(points)
    sizes = {
        name: float(np.sqrt(np.nanmean(deviations[name] ** 2) / np.nanmean(means[name] ** 2)))
        for name in means
    }
    known = first.reference is not None
    errors = evaluate_points(shown["mean"], POINTS)["relative_l2"] if known else {}
    return Spread(sizes, errors, pictures)
