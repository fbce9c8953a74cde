"""What every trained run knows, whether at points or on a grid."""

from __future__ import annotations

import sys
from functools import cached_property
from pathlib import Path
from typing import Any

from pdehvd.assembly import run_directory as folder
from pdehvd.assembly.build import build_objective, build_problem, build_reference
from pdehvd.comm.group import Solo
from pdehvd.config.root import Config
from pdehvd.spec import data_files
from pdehvd.training import durable
from pdehvd.training.checkpoint import read_state
from pdehvd.training.fresh_residuals import TermResidual, fresh_residuals
from pdehvd.training.history import read


class TrainedRun:
    """The problem and the objective of a run, and its state at a checkpoint."""

    def __init__(self, directory: Path, config: Config, which: str) -> None:
        self.directory = directory
        self.config = config
        self.problem: Any = build_problem(config, 1)
        self.objective: Any = build_objective(config, self.problem, Solo())
        self._state = read_state(directory, which, self.objective)

    @property
    def step(self) -> int:
        """The step of the checkpoint."""
        return self._state.step

    @property
    def summary(self) -> dict[str, Any]:
        """What the run wrote about itself; empty while it has not ended."""
        return durable.read_json(self.directory / folder.SUMMARY)

    @property
    def metrics(self) -> Any:
        """The metrics as a pandas frame, a row for each logged step."""
        return read(self.directory)

    @cached_property
    def reference(self) -> Any:
        """The reference solution; None without one, or where its file is missing, with a word."""
        missing = [f for _, f in data_files(self.config.problem.reference) if not Path(f).exists()]
        if missing:
            print(f"warning: no reference, for there is no file {missing[0]}", file=sys.stderr)
            return None
        return build_reference(self.config, self.problem)

    def residuals(self) -> dict[str, TermResidual]:
        """Return each term's residual on the trained points and on fresh ones."""
        return fresh_residuals(self.objective, self._state)

    @property
    def unknowns(self) -> dict[str, float]:
        """The numbers that were discovered."""
        found = self.objective.unknowns(self._state.theta)
        return {name: float(value) for name, value in found.items()}
