"""The cost of `aggregation: exact` compared with `global_mean`: time per step, and the bits.

    .venv/bin/python -m scripts.bench.exact [--np 1 2] [--points 10000] [--steps 400] [--rounds 3]

Burgers' equation with Adam and so many points a process, one thread for each process on a core of
its own. Both sides run in turn in one call; medians over the rounds, and their ratio.
"""

from __future__ import annotations

import argparse
import os
import statistics

from rich.console import Console
from rich.table import Table

from scripts.bench.cases import run_ours

HOOKS = ("global_mean", "exact")


def seconds_per_step(hook: str, np_: int, options: argparse.Namespace) -> float:
    """Return the seconds of a step of one run."""
    settings = {
        "aggregation": hook,
        "optimizer": {"name": "adam", "learning_rate": 1e-3},
        "model": {"name": "mlp", "width": options.width, "depth": options.depth},
        "precision": options.precision,
        "sampling": {"name": "sobol", "equations": options.points * np_, "conditions": 256 * np_},
        "training.steps": options.steps,
        "training.evaluate_every": options.steps,
        "training.log_every": max(options.steps // 16, 1),
        "training.checkpoint_every": options.steps,
        "processes.threads": 1,
    }
    cores = sorted(os.sched_getaffinity(0))
    return run_ours("burgers", settings, np_, cores).seconds_per_step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--np", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--points", type=int, default=10_000, help="points a process")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--precision", choices=("float32", "float64"), default="float32")
    options = parser.parse_args()
    table = Table("processes", *(f"{hook}, ms" for hook in HOOKS), "ratio")
    for np_ in options.np:
        rounds = [
            [seconds_per_step(hook, np_, options) for hook in HOOKS] for _ in range(options.rounds)
        ]
        plain, exact = (1000 * statistics.median(column) for column in zip(*rounds, strict=True))
        table.add_row(str(np_), f"{plain:.2f}", f"{exact:.2f}", f"{exact / plain:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
