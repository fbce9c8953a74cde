"""Weak and strong scaling of PINNs, U-Nets and second-order steps, with targets.

    .venv/bin/python -m scripts.bench.scaling [--cases burgers_2540 ...] [--np 1,2,4]
        [--repeats 3] [--output DIR] [--write]

Runs `pdehvd scale` (one thread for each process, each on its own core where there are enough). An
interrupted call continues from there, with the same --output. The Schroedinger case is that of
arXiv 2302.08835: 2-100x4-2, 4,000 points a process. --network adds `--predict` for the same counts,
so that prediction and measurement are in one table. --write puts the table on docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pdehvd.scaling.sweep_results import Row, row_cells
from scripts.bench.generative_runs import unet_settings
from scripts.shared import machine
from scripts.shared.results import Results, Table, processor, publish, this_command

ADAM = {"name": "adam", "learning_rate": 1e-3}
QUICK_STEPS = 8
CONDITIONS = "one thread per process; a star marks oversubscription, where speed-up has no meaning."
COLUMNS = (
    "case",
    "scaling",
    "processes",
    "ms per step",
    "range",
    "speed-up",
    "efficiency",
    "computing",
    "communication",
    "waiting",
    "MiB",
    "predicted, ms",
    "off by",
)


@dataclass(frozen=True)
class Case:
    """A config with settings; `aims` are the target efficiencies on two processes."""

    title: str
    config: str
    steps: int
    settings: Mapping[str, Any]
    modes: tuple[str, ...] = ("weak", "strong")
    aims: Mapping[str, float] = field(default_factory=dict)
    # One process alone cannot time its part of work that is divided over processes.
    predicted: bool = True


def burgers(points: int, modes: tuple[str, ...] = ("weak", "strong"), **aims: float) -> Case:
    """Return Burgers' equation, 3 x 20 in float32, all points counted under equations."""
    settings = {
        "precision": "float32",
        "optimizer": ADAM,
        "sampling": {"name": "sobol", "equations": points, "conditions": 120},
        "model.depth": 3,
        "weighting": "fixed",
    }
    title = f"Burgers, 3 x 20, {points:,} points"
    return Case(title, "burgers", 1000, settings, modes, aims)


def schrodinger(points: int, modes: tuple[str, ...], **aims: float) -> Case:
    settings = {
        "model": {"name": "mlp", "width": 100, "depth": 4, "activation": "tanh"},
        "sampling.equations": points,
        "optimizer": ADAM,
    }
    title = f"Schroedinger, 2-100x4-2, {points:,} points"
    return Case(title, "schrodinger", 200, settings, modes, aims)


def unet(
    size: int,
    steps: int,
    modes: tuple[str, ...] = ("weak", "strong"),
    buckets: int = 1,
    **aims: float,
) -> Case:
    settings = {**unet_settings(size), "optimizer": ADAM, "processes.buckets": buckets}
    settings |= {"sampling.held_out": 0, "training.levels": None}
    title = f"U-Net at {size} x {size}" + (f", {buckets} buckets" if buckets > 1 else "")
    return Case(title, f"poisson_kl_{size}", steps, settings, modes, aims)


def second_order(title: str, optimizer: Any, steps: int, strong: float) -> Case:
    """Return Burgers' equation on 2-40x4-1, P = 5,081 parameters, N = 4,000 points."""
    settings = {
        "model": {"name": "mlp", "width": 40, "depth": 4},
        "sampling": {"name": "sobol", "equations": 4000},
        "optimizer": optimizer,
        "training": {"steps": steps, "steps_per_call": 5, "log_every": 5},
    }
    title = f"{title}, P = 5,081, N = 4,000"
    aims = {"strong": strong}
    return Case(title, "burgers_gauss_newton", steps, settings, ("strong",), aims, predicted=False)


CASES = {
    "burgers_2540": burgers(2540),
    "burgers_10000": burgers(10_000),
    "schrodinger_4000": schrodinger(4000, ("weak",), weak=0.92),
    "schrodinger_8000": schrodinger(8000, ("strong",), strong=0.85),
    "unet_256": unet(256, 24, weak=0.97),
    "unet_256_buckets": unet(256, 24, ("weak",), buckets=4),
    "unet_1024": unet(1024, 8, ("weak",), weak=0.97),
    "normal": second_order(
        "Gauss-Newton, normal", {"name": "gauss_newton", "solver": "normal"}, 15, 0.85
    ),
    "kernel": second_order(
        "Gauss-Newton, kernel", {"name": "gauss_newton", "solver": "kernel"}, 15, 0.85
    ),
    "ssbroyden": second_order("SSBroyden", "ssbroyden", 100, 0.75),
}


def command(case: Case, options: argparse.Namespace, output: Path) -> list[str]:
    """Return the command line of a case."""
    steps = QUICK_STEPS if options.quick else case.steps
    words = [str(Path(sys.executable).with_name("pdehvd")), "scale"]
    words += [str(Path(machine.ROOT, "configs", f"{case.config}.yaml")), "--np", options.np]
    words += ["--mode", ",".join(case.modes), "--repeats", str(options.repeats)]
    words += ["--steps", str(steps), "--output", str(output)]
    if options.network and case.predicted:
        more = [count for count in options.np.split(",") if count != "1"]
        words += ["--predict", ",".join(more), "--network", str(options.network)]
    for name, value in case.settings.items():
        words += ["--set", f"{name}={json.dumps(value)}"]
    return words


def rows(case: Case, scaling: Mapping[str, Any]) -> list[list[str]]:
    """Return the cells of a case: what was measured, and the prediction where there is one."""
    predicted = {
        (curve["mode"], step["processes"]): step["total"]
        for curve in scaling.get("predictions", ())
        for step in curve["steps"]
    }
    found = []
    for mode, listed in scaling["rows"].items():
        for row in listed:
            _, _, step, spread, _, *rest = row_cells(Row(**row))
            count = f"{row['processes']}{'*' if row['oversubscribed'] else ''}"
            total = predicted.get((mode, row["processes"])) if row["processes"] > 1 else None
            last = ["", ""] if total is None else _compared(total, row["step"])
            found.append([case.title, mode, count, step, spread, *rest, *last])
    return found


def _compared(predicted: float, measured: float) -> list[str]:
    return [f"{predicted * 1e3:.3g}", f"{predicted / measured - 1:+.0%}"]


def verdicts(case: Case, scaling: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each target: the efficiency on two processes."""
    lines = []
    for mode, aim in case.aims.items():
        for row in scaling["rows"][mode]:
            if row["processes"] == 2:
                verdict = "reached" if row["efficiency"] >= aim else "not reached"
                lines.append(
                    f"{case.title}, {mode} efficiency on 2: {row['efficiency']:.3f}, "
                    f"target {aim}: {verdict}"
                )
    return lines


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--np", default="1,2,4")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--network", type=Path, help="net.json of pdehvd net, to predict as well")
    parser.add_argument("--output", type=Path, default=Path("runs", "bench_scaling"))
    parser.add_argument("--quick", action="store_true", help="few steps, to try it out")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    return parser.parse_args(words)


def main() -> int:
    options = parsed()
    table: list[list[str]] = []
    notes: list[str] = []
    for name in options.cases:
        case, output = CASES[name], options.output / name
        print(f"\n{case.title}", file=sys.stderr, flush=True)
        code = subprocess.run(command(case, options, output), check=False).returncode
        if code:
            return code
        scaling = json.loads((output / "scaling.json").read_text())
        table += rows(case, scaling)
        notes += verdicts(case, scaling)
    shown = Table(COLUMNS, table)
    about = f"{processor()}; {CONDITIONS}"
    results = Results(this_command(), about, [shown], notes)
    print(results.markdown())
    if options.write:
        publish("scaling", results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
