"""Compare with DeepXDE on Horovod: time per step, error against time, memory per process.

    .venv/bin/python -m scripts.bench.peers [--only Burgers ...] [--repeats 5] [--write]

Both sides run in turn in one call: the same network, points and precision, Adam at 1e-3, one
thread for each process, each process on its own core. Numbers are medians over the repeats, ratios
are medians of the ratios of neighbouring runs. Of the peer's ways to run, the fastest counts.
With several processes every process has the points of the table (weak scaling); the efficiency is
T1/Tp. The machine's limit is that of as many runs of one process at the same time, which share
memory, caches and power but send nothing: no communication can be faster than that. The clock of
the peer stands still while its error is computed; ours runs on.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import numpy as np

from scripts.bench import peer_environment
from scripts.bench.cases import (
    ALONE,
    CASES,
    CONFIGS,
    TOGETHER,
    Case,
    Measured,
    Variant,
    run_ours,
    run_peer,
)
from scripts.shared import machine
from scripts.shared.results import Results, Table, processor, publish, this_command

# The best that we ship for Burgers, first that exists.
BEST = ["burgers_ssbroyden", "burgers_lbfgs", "burgers"]


class Truth:
    """Points of evaluation of a case, and the error of predictions there, as our trainer has it."""

    def __init__(self, case: Case, folder: Path) -> None:
        from pdehvd.config.root import load_config
        from pdehvd.kinds.points import PointKind
        from pdehvd.problems.evaluation import evaluation_points, time_slices

        config, _ = load_config(CONFIGS / f"{case.problem}.yaml")
        kind = PointKind()
        problem = kind.build_problem(config, 1)
        reference = kind.build_reference(config, problem)
        assert reference is not None, "a case of the comparison has a reference"
        self.points = evaluation_points(problem.domain)
        self.slices, self.slice_count = time_slices(problem.domain, self.points)
        self.values = reference(self.points)
        self.free = reference.up_to_constant
        self.fields = problem.fields
        self.file = folder / f"{case.problem}.npz"
        np.savez(self.file, points=self.points)

    def error(self, predicted: np.ndarray) -> float:
        """Return the largest relative L2 error over the fields of predictions [N, F]."""
        from pdehvd.problems.evaluation import constants, error_sums, relative_l2

        errors = []
        for index, name in enumerate(self.fields):
            column = predicted[:, index].astype(np.float64)
            sums = error_sums(column, self.values[name], self.slices, self.slice_count)
            if name in self.free:
                column -= constants(sums)[self.slices]
                sums = error_sums(column, self.values[name], self.slices, self.slice_count)
            errors.append(relative_l2(sums))
        return max(errors)


class Bench:
    """Runs the cases and keeps the lines of the report."""

    def __init__(self, repeats: int, budget: float, cores: list[int]) -> None:
        self.repeats, self.budget, self.cores = repeats, budget, cores
        self.peer = peer_environment.python()
        self.one: dict[tuple[str, str], float] = {}

    def fastest(self, case: Case, np_: int) -> Variant:
        """Return the peer's fastest way to run a case, from one short run of each."""
        variants = ALONE if np_ == 1 else TOGETHER
        seconds = []
        for variant in variants:
            steps = {"steps": max(case.steps // 4, 40)}
            measured = run_peer(self.peer, case, variant, np_, self.cores, steps)[0]
            seconds.append(measured.seconds_per_step)
            self.say(f"  {variant.name}: {1e3 * measured.seconds_per_step:.2f} ms")
        return variants[int(np.argmin(seconds))]

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def side_by_side(self, case: Case, np_: int) -> list[float]:
        """Return seconds per step of independent runs at once, each on a core of its own."""
        with ThreadPoolExecutor(np_) as pool:
            runs = pool.map(lambda core: self.ours(case, 1, [core]), self.cores[:np_])
            return [run.seconds_per_step for run in runs]

    def ours(self, case: Case, np_: int, cores: list[int] | None = None) -> Measured:
        """Time our steps: nothing but steps between the lines of the log."""
        settings = {
            **case.settings(),
            "training.steps": case.steps,
            "training.log_every": max(case.steps // 10, 1),
            "training.evaluate_every": case.steps,
            "training.checkpoint_every": case.steps,
        }
        return run_ours(case.problem, settings, np_, cores or self.cores)

    def speed(self, case: Case, np_: int) -> list[str]:
        """Return the row of one case: milliseconds per step, their ratio, efficiency, memory."""
        self.say(f"{case.name}, {np_} process(es)")
        variant = self.fastest(case, np_)
        pairs, apart = [], []
        for _ in range(self.repeats):
            apart += self.side_by_side(case, np_) if np_ > 1 else []
            ours = self.ours(case, np_)
            options = {"steps": case.steps}
            peer = run_peer(self.peer, case, variant, np_, self.cores, options)[0]
            pairs.append((ours, peer))
        ms = [1e3 * statistics.median(p[i].seconds_per_step for p in pairs) for i in (0, 1)]
        ratio = statistics.median(p[1].seconds_per_step / p[0].seconds_per_step for p in pairs)
        memory = [statistics.median(p[i].megabytes for p in pairs) for i in (0, 1)]
        efficiency = []
        for side, value in zip(("ours", "peer"), ms, strict=True):
            base = self.one.setdefault((case.name, side), value) if np_ == 1 else None
            base = base or self.one.get((case.name, side), float("nan"))
            efficiency.append(f"{base / value:.2f}")
        alone = self.one.get((case.name, "ours"), float("nan"))
        limit = f"{alone / (1e3 * statistics.median(apart)):.2f}" if apart else "1.00"
        self.say(f"  ours {ms[0]:.2f} ms, peer {ms[1]:.2f} ms, {ratio:.2f} times as fast")
        return [
            case.name,
            f"{np_}",
            *(f"{one:.2f}" for one in ms),
            f"**{ratio:.2f}**",
            efficiency[0],
            limit,
            efficiency[1],
            *(f"{one:.0f}" for one in memory),
            variant.name,
        ]

    def error(self, case: Case, truth: Truth) -> list[list[str]]:
        """Return rows of error against time with Adam alone, one process on both sides."""
        self.say(f"{case.name}, error against {self.budget:.0f} s")
        settings = {
            **case.settings(),
            "training.steps": 10_000_000,
            "training.max_seconds": self.budget,
            "training.log_every": max(case.steps // 8, 1),
            "training.evaluate_every": max(case.steps // 8, 1),
            "training.checkpoint_every": 10_000_000,
        }
        ours = run_ours(case.problem, settings, 1, self.cores)
        options = {
            "steps": 10_000_000,
            "seconds": self.budget,
            "evaluate-every": max(case.steps // 16, 1),
            "at": truth.file,
        }
        variant = self.fastest(case, 1)
        peer = self.peer_curve(case, variant, options, truth)
        return [
            self.curve_row(case.name, "pdehvd, Adam", ours),
            self.curve_row(case.name, f"DeepXDE, Adam, {variant.name}", peer),
        ]

    def peer_curve(
        self,
        case: Case,
        variant: Variant,
        options: Mapping[str, object],
        truth: Truth,
        np_: int = 1,
    ) -> Measured:
        """Run the peer and turn its predictions into errors."""
        measured, seconds, values = run_peer(self.peer, case, variant, np_, self.cores, options)
        errors = [truth.error(value) for value in values]
        measured.curve = list(zip(seconds.tolist(), errors, strict=True))
        return measured

    def best(self, case: Case, truth: Truth) -> list[list[str]]:
        """Return rows with the best optimizer of each side for Burgers, in double precision."""
        config = next(name for name in BEST if (CONFIGS / f"{name}.yaml").exists())
        self.say(f"{case.name}, best optimizers, {self.budget:.0f} s")
        settings = {
            "training.max_seconds": self.budget,
            "training.evaluate_every": 100,
            "processes.threads": 1,
        }
        ours = run_ours(config, settings, 1, self.cores)
        rows = [self.curve_row(case.name, f"pdehvd, configs/{config}.yaml", ours)]
        for precision in ("float32", "float64"):
            options = {
                "steps": 1000,
                "lbfgs": 100,
                "seconds": self.budget,
                "precision": precision,
                "at": truth.file,
            }
            peer = self.peer_curve(case, ALONE[0], options, truth)
            what = f"DeepXDE, 1,000 Adam steps, then L-BFGS, {precision}"
            rows.append(self.curve_row(case.name, what, peer))
        return rows

    def curve_row(self, name: str, side: str, measured: Measured) -> list[str]:
        """Return a row with the error reached after a quarter, a half and all of the time."""
        cells = []
        for share in (0.25, 0.5, 1.0):
            # The last look may come a step after the end.
            known = [e for t, e in measured.curve if t <= share * self.budget * 1.02]
            cells.append(f"{known[-1]:.1e}" if known else "-")
        return [name, side, *cells]


def facts() -> str:
    """Return one sentence about machine and versions."""
    return (
        f"{processor()}; TensorFlow {metadata.version('tensorflow')} and "
        f"Python {platform.python_version()} here, DeepXDE 1.11.1 on TensorFlow 2.15.1 there; "
        "Horovod 0.28.1 over Open MPI 4.1.8 on both sides."
    )


SPEED = (
    "problem",
    "processes",
    "pdehvd, ms per step",
    "DeepXDE, ms per step",
    "ratio",
    "efficiency",
    "limit of the machine",
    "efficiency of DeepXDE",
    "MB per process",
    "MB of DeepXDE",
    "fastest mode of DeepXDE",
)


def measure(options: argparse.Namespace) -> Results:
    """Run everything that was asked for."""
    cores = sorted(os.sched_getaffinity(0))
    bench = Bench(options.repeats, options.seconds, cores)
    cases = [case for case in CASES if not options.only or case.name in options.only]
    processes = [n for n in options.np if n <= len(cores)]
    speed = [bench.speed(case, n) for case in cases for n in processes]
    tables = [Table(SPEED, speed, "Time per step, weak scaling:")]
    if options.seconds:
        folder = Path(machine.cache_folder())
        rows = []
        for case in cases:
            truth = Truth(case, folder)
            rows += bench.error(case, truth)
            rows += bench.best(case, truth) if case.name == "Burgers" else []
        at = [f"{share * options.seconds:.0f} s" for share in (0.25, 0.5, 1.0)]
        caption = "Relative L2 error (the worst field) over time:"
        tables.append(Table(["problem", "one process on one core", *at], rows, caption))
    return Results(this_command(), facts(), tables)


def main() -> int:
    """Run the command line; exit code 3 where the peer's environment cannot be made."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=[case.name for case in CASES])
    parser.add_argument("--np", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60.0, help="error against time; 0: none")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    options = parser.parse_args()
    try:
        results = measure(options)
    except machine.SetupError as error:
        machine.say(str(error))
        return 3
    print(results.markdown())
    if options.write:
        publish("peers", results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
