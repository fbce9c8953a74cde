"""Evaluation of a run: errors against its reference, residuals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pdehvd.assembly.run_directory import EVALUATION
from pdehvd.problems.evaluation import EVALUATION_POINTS
from pdehvd.results.open_run import RunLike, opened
from pdehvd.spec.plain import Facts
from pdehvd.training.durable import write_json
from pdehvd.training.monitors import deviation


def evaluate(
    run: RunLike, count: int = EVALUATION_POINTS, at: Mapping[str, float] | None = None
) -> Facts:
    """Measure a run on the points of its training's errors, write `evaluation.json`, return it.

    `residuals`: of each term the root mean square on the `trained` points, and on as many `fresh`
    ones; of an energy its mean. `monitors`: their values, and errors where values are expected.
    With a reference also errors by field, as the kind of the problem measures them: see
    `evaluate_points`, and `evaluate_samples` for a generative model.

    `at` are values of some coordinates: then there are the errors there, in a file of their own.
    """
    trained = opened(run).at(at or {})
    result = trained.evaluate(count)
    path = Path(trained.directory) / EVALUATION
    if trained.place:
        path = path.with_name(f"{path.stem}_{trained.place}{path.suffix}")
    else:
        expected = trained.expected_monitors
        result["monitors"] = {
            name: _compared(value, expected.get(name)) for name, value in trained.monitors.items()
        }
        result["residuals"] = {name: pair._asdict() for name, pair in trained.residuals().items()}
    write_json(path, result)
    return result


def _compared(value: float, expected: float | None) -> Facts:
    """Return a value, and what it should be and its error where that is known."""
    if expected is None:
        return {"value": value}
    return {"value": value, "expected": expected, "error": deviation(value, expected)}
