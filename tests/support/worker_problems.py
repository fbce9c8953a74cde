"""What each process of test_problems.py does: train many problems in turn, compiling nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pdehvd.comm import backend
from pdehvd.launch import process_setup
from pdehvd.launch.processes_spec import ProcessesSpec
from tests.support.worker_names import MORE_PROBLEMS, PROBLEMS

PROCESSES = ProcessesSpec(threads=1, collectives=os.environ.get("COLLECTIVES", "mpi"))
process_setup.configure_threads(PROCESSES)

from pdehvd.assembly.build import build_parts  # noqa: E402
from pdehvd.comm.group import Group  # noqa: E402
from pdehvd.config.root import load_config  # noqa: E402
from pdehvd.training.callback import Callback  # noqa: E402
from pdehvd.training.checkpoint import Checkpoints  # noqa: E402
from pdehvd.training.history import History  # noqa: E402
from pdehvd.training.progress import Progress  # noqa: E402
from pdehvd.training.trainer import Output, Trainer  # noqa: E402
from tests.support.worker import Arrays, prefixed, without_xla  # noqa: E402


class Rows(Callback):
    """Keeps the monitors of each row that has some, behind the step."""

    def __init__(self) -> None:
        self.kept: list[list[float]] = []

    def on_log(self, row: Mapping[str, float]) -> None:
        values = [value for key, value in row.items() if key.startswith("monitor/")]
        if values:
            self.kept.append([row["step"], *values])


def trained(group: Group, path: Path, settings: list[str]) -> Arrays:
    """Train a problem; return what must not depend on the number of processes."""
    config, _ = load_config(path, settings)
    folder, rows = Path(sys.argv[2]) / "unused", Rows()
    checkpoints = Checkpoints(folder, 1, False)
    output = Output(History(folder, False), Progress(1, True), checkpoints, [rows])
    trainer = Trainer(build_parts(config, group), config.training)
    outcome = trainer.fit(trainer.fresh_state(), output)
    return {
        "loss": np.array(outcome.loss),
        "theta": outcome.state.theta.numpy(),
        "fields": np.array(list(outcome.errors)),
        "errors": np.array(list(outcome.errors.values())),
        "monitors": np.array(rows.kept),
    }


def main() -> None:
    group = backend.group(PROCESSES)
    without_xla()
    arrays: Arrays = {"processes": np.array(group.size)}
    for name, (path, settings) in PROBLEMS.items():
        if (name in MORE_PROBLEMS) == (sys.argv[1] == "more"):
            arrays |= prefixed(name, trained(group, path, settings))
    np.savez(Path(sys.argv[2]) / f"rank{group.rank}.npz", **arrays)
    group.close()


if __name__ == "__main__":
    main()
