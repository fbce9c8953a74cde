"""What is measured, drawn and exported of a trained generative model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pdehvd.assembly.trained_run import Export, FieldAnswer, Outside
from pdehvd.results.evaluate_samples import evaluate_samples
from pdehvd.results.export_samples import sample_export
from pdehvd.results.field_input import read_fields
from pdehvd.results.field_solution import solve_field
from pdehvd.results.plots_samples import sample_pictures
from pdehvd.results.trained_grid import TrainedOnGrid
from pdehvd.spec.plain import Facts


class GridRun(TrainedOnGrid):
    """A trained run of a family of problems on a grid."""

    def fields_at(self, given: object, outside: Outside) -> tuple[dict[str, np.ndarray], str]:
        return {self.problem.field: self.predict(read_fields(self, given))}, ""

    def evaluate(self, count: int) -> Facts:
        if self.reference is None:
            return super().evaluate(count)
        return evaluate_samples(self, self.reference)

    def figures(self) -> dict[str, Figure]:
        return sample_pictures(self)

    def exporter(self, format: str, resolution: int | None) -> Export:
        return sample_export(self, format, resolution)

    def solve_field(self, file: Path, key: str | None, range_: str | None) -> FieldAnswer:
        return solve_field(self, file, key, range_)
