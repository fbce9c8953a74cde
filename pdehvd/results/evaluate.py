"""Evaluation of a run: errors against its reference, residuals."""

from __future__ import annotations

from pathlib import Path

from pdehvd.assembly.run_directory import EVALUATION
from pdehvd.problems.evaluation import EVALUATION_POINTS
from pdehvd.results.open_run import RunLike, opened
from pdehvd.spec.plain import Facts
from pdehvd.training.durable import write_json


def evaluate(run: RunLike, count: int = EVALUATION_POINTS) -> Facts:
    """Measure a run on the points of its training's errors, write `evaluation.json`, return it.

    `residuals`: of each term the root mean square on the `trained` points, and on as many `fresh`
    ones; of an energy its mean. With a reference also errors by field, as the kind of the problem
    measures them: see `evaluate_points`, and `evaluate_samples` for a generative model.
    """
    trained = opened(run)
    result = trained.evaluate(count)
    result["residuals"] = {name: pair._asdict() for name, pair in trained.residuals().items()}
    write_json(Path(trained.directory) / EVALUATION, result)
    return result
