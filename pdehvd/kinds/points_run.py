"""What is measured, drawn and exported of a trained network of coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from typing_extensions import Self

from pdehvd.assembly.trained_run import Export, FieldAnswer, Frame, Outside, Spread
from pdehvd.errors import ConfigError
from pdehvd.results.evaluate_points import evaluate_points
from pdehvd.results.export_points import point_export
from pdehvd.results.fields_at_points import fields_at
from pdehvd.results.plots_points import point_pictures
from pdehvd.results.plots_series import point_series
from pdehvd.results.seeds_at_points import spread_of_solutions
from pdehvd.results.trained_points import TrainedAtPoints
from pdehvd.spec.plain import Facts


class PointRun(TrainedAtPoints):
    """A trained run of a problem at points."""

    def fields_at(self, given: object, outside: Outside) -> tuple[dict[str, np.ndarray], str]:
        return fields_at(self, given, outside)

    def evaluate(self, count: int) -> Facts:
        if self.reference is None:
            return super().evaluate(count)
        return evaluate_points(self, count)

    def figures(self) -> dict[str, Figure]:
        return point_pictures(self)

    def spread(self, others: Sequence[Self]) -> Spread:
        return spread_of_solutions([self, *others])

    def series(self) -> dict[str, list[Frame]]:
        return point_series(self)

    def exporter(self, format: str, resolution: int | None) -> Export:
        return point_export(self, format, resolution)

    def solve_field(self, file: Path, key: str | None, range_: str | None) -> FieldAnswer:
        raise ConfigError(
            "this run's network maps points, not fields",
            (),
            "--points FILE.csv",
        )
