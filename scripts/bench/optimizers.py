"""Error against wall time of the optimizers on one problem, network and set of points.

    .venv/bin/python -m scripts.bench.optimizers [--seconds 60] [--np 1 2] [--only NAME ...]
        [--no-peer] [--peer-seconds 240] [--write]

Burgers' equation, 3 x 20 tanh, float64 (Adam in float32 as well), one thread for each process on a
core of its own. The peer is DeepXDE: Adam on two processes, its L-BFGS after Adam on one. Draws
docs/pictures/optimizers.png and, with --write, the tables of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from scripts.bench.cases import ALONE, CASES, TOGETHER, run_ours
from scripts.bench.peers import Bench, Truth, facts
from scripts.shared import machine
from scripts.shared.results import Results, Table, publish, this_command

PICTURE = Path(machine.ROOT, "docs", "pictures", "optimizers.png")
WARM_UP = {"name": "adam", "steps": 500, "learning_rate": 5e-3}
METHODS: dict[str, object] = {
    "Adam": {"name": "adam", "learning_rate": 5e-3},
    "Adam, L-BFGS": [WARM_UP, {"name": "lbfgs"}],
    "Adam, SSBroyden": [WARM_UP, {"name": "ssbroyden"}],
    "Gauss-Newton, normal": {"name": "gauss_newton", "solver": "normal"},
    "Gauss-Newton, kernel": {"name": "gauss_newton", "solver": "kernel"},
    "Gauss-Newton, cg": {"name": "gauss_newton", "solver": "cg"},
    "KFAC": {"name": "kfac"},
}
GOAL = 1e-3
Curve = list[tuple[float, float]]


def ours(optimizer: object, np_: int, seconds: float, cores: list[int]) -> Curve:
    """Train for some seconds and return (seconds, error) pairs."""
    first = isinstance(optimizer, dict) and optimizer["name"] == "adam"
    every = 200 if first else 10
    settings = {
        "optimizer": optimizer,
        "sampling": {"name": "sobol", "equations": 3000},
        "training.steps": 10_000_000,
        "training.max_seconds": seconds,
        "training.evaluate_every": every,
        "training.log_every": every,
        "training.steps_per_call": every if first else 5,
        "training.checkpoint_every": 10_000_000,
        "processes.threads": 1,
    }
    return run_ours("burgers_ssbroyden", settings, np_, cores).curve


def peer(seconds: float, cores: list[int]) -> dict[str, Curve]:
    """Return the curves of DeepXDE: Adam on two processes, Adam then L-BFGS on one."""
    case = CASES[0]
    truth = Truth(case, Path(machine.cache_folder()))
    bench = Bench(1, seconds, cores)
    adam = {"evaluate-every": 250, "at": truth.file}
    both = {"steps": 1000, "lbfgs": 100, "seconds": seconds, "precision": "float64"}
    variant = TOGETHER[0]
    # Its ranks cannot agree to stop, so a short run tells how many steps the time is good for.
    first, second, *_ = bench.peer_curve(case, variant, {**adam, "steps": 500}, truth, 2).curve
    steps = round(250 * seconds / (second[0] - first[0]))
    return {
        "DeepXDE, Adam, 2 processes": bench.peer_curve(
            case, variant, {**adam, "steps": steps}, truth, 2
        ).curve,
        "DeepXDE, Adam, L-BFGS, 1 process": bench.peer_curve(
            case, ALONE[0], {**both, "at": truth.file}, truth
        ).curve,
    }


def row(name: str, curve: Curve, seconds: float) -> list[str]:
    """Return the errors after parts of the time, and the time to the goal."""
    best: Curve = []
    for at, error in curve:
        best.append((at, min(error, best[-1][1]) if best else error))
    cells = []
    for share in (0.25, 0.5, 1.0):
        known = [error for at, error in best if at <= 1.02 * share * seconds]
        cells.append(f"{known[-1]:.1e}" if known else "-")
    reached = [at for at, error in best if error <= GOAL]
    ended = f"> {best[-1][0]:.0f}" if best else "-"
    return [name, *cells, f"{reached[0]:.1f}" if reached else ended]


def draw(curves: dict[str, Curve], seconds: float) -> None:
    """Draw all curves into one picture."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 6), layout="constrained")
    colours = plt.get_cmap("tab10")
    methods = {label: label.rsplit(", ", 1)[0] for label in curves}
    names = list(dict.fromkeys(methods.values()))
    for name, curve in curves.items():
        style = "--" if "1 process" in name else "-"
        times, errors = zip(*curve, strict=True) if curve else ((), ())
        axes.plot(
            times, errors, style, color=colours(names.index(methods[name]) % 10), label=name, lw=1.3
        )
    axes.set(xlabel="seconds of training", ylabel="relative L2 error", yscale="log")
    axes.set_xlim(0, seconds)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", fontsize=7, ncols=3)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=130)


def main() -> int:
    """Run the command line; exit code 3 where the peer's environment cannot be made."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--np", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--only", nargs="*", choices=list(METHODS))
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--peer-seconds", type=float, help="how long DeepXDE may try; --seconds")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    curves: dict[str, Curve] = {}
    for name, optimizer in METHODS.items():
        for np_ in options.np:
            if options.only and name not in options.only:
                continue
            label = f"{name}, {np_} process{'es' if np_ > 1 else ''}"
            print(label, file=sys.stderr, flush=True)
            curves[label] = ours(optimizer, np_, options.seconds, cores)
    if not options.no_peer:
        try:
            curves |= peer(options.peer_seconds or options.seconds, cores)
        except machine.SetupError as error:
            machine.say(str(error))
            return 3
    draw(curves, options.seconds)
    at = [f"{share * options.seconds:.0f} s" for share in (0.25, 0.5, 1.0)]
    columns = ["lowest relative L2 error", *at, f"seconds to {GOAL:.0e}"]
    rows = [row(name, curve, options.seconds) for name, curve in curves.items()]
    table = Table(columns, rows)
    results = Results(this_command(), facts(), [table])
    print(results.markdown())
    if options.write:
        publish("optimizers", results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
