"""Batches 1, 8 and 64 times as large, with and without the rules: error, time, picture, table.

    .venv/bin/python -m scripts.bench.large_batch [--cases burgers poisson_kl] [--factors 1 8 64]
        [--share 1.0] [--seeds 3] [--jobs 1] [--keep FILE] [--write]

Every run sees as many points or samples as the others, so a batch k times as large does k times
fewer steps; its rate falls along a cosine over them. `none` keeps the rate of the small batch, the
others scale it and warm it up over a tenth of the steps. One process with one thread; errors are
medians over the seeds, those of a run that diverges are infinite. Seconds are those of the steps,
without compiling and evaluating. `--share` cuts the steps down, for a try; `--jobs` runs are made
at a time, each on a core of its own. Runs that `--keep` finds in its file are not made again.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, NamedTuple

from pdehvd import train
from pdehvd.errors import PdehvdError
from scripts.bench.generative_runs import say
from scripts.shared import machine
from scripts.shared.results import Results, Table, processor, publish, this_command

PICTURE = Path(machine.ROOT, "docs", "pictures", "large_batch.png")
FACTORS = (1, 8, 64)
DIVERGED = 4
# What the rules are allowed to lose against the small batch.
KEPT = 1.1
KEPT_LABEL = "batch x 1 and 10 %"
GONE = ("diverged", "-")


class Rule(NamedTuple):
    """An optimizer, and how its rate follows the batch; "" for not at all."""

    optimizer: str
    scaling: str


RULES = {
    "none": Rule("adam", ""),
    "linear, warm-up": Rule("adam", "linear"),
    "sqrt, warm-up": Rule("adam", "sqrt"),
    "LAMB, sqrt, warm-up": Rule("lamb", "sqrt"),
}
BURGERS = {
    "precision": "float32",
    "problem": {
        "name": "pde",
        "coordinates": {"x": [-1, 1], "t": [0, 1]},
        "fields": ["u"],
        "constants": {"nu": "0.01/pi"},
        "equations": {"momentum": "u_t + u*u_x - nu*u_xx"},
        "hard": {"u": "t*(1 - x^2)*network - sin(pi*x)"},
        "reference": {"name": "burgers_cole_hopf"},
    },
    "sampling": {"name": "uniform", "resample_every": 1},
    "model": {"name": "mlp", "width": 20, "depth": 4},
}
POISSON = {
    "problem": {
        "name": "parametric",
        "coordinates": {"x": [0, 1], "y": [0, 1]},
        "inputs": {"nu": {"name": "karhunen_loeve", "modes": 4, "range": [-3, 3]}},
        "energy": "nu*(u_x**2 + u_y**2)/2",
        "scale": "nu",
        "boundary": {"x = 0": 1, "x = 1": 0},
        "resolution": 32,
    },
    "sampling": {"name": "samples", "samples": 65536, "held_out": 64},
    "model": {"name": "unet", "depth": 4, "width": 16, "max_width": 64, "output": "sigmoid"},
}


@dataclass(frozen=True)
class Case:
    """A config without a batch, the key of its batch, the small batch, its steps and rates."""

    title: str
    config: dict[str, Any]
    key: str
    batch: int
    steps: int
    rates: dict[str, float]


CASES = {
    "burgers": Case("Burgers, PINN", BURGERS, "equations", 64, 40960, {"adam": 1e-3, "lamb": 1e-3}),
    "poisson_kl": Case(
        "Poisson 32 x 32, U-Net", POISSON, "batch", 4, 8192, {"adam": 1e-3, "lamb": 1e-3}
    ),
}


@dataclass(frozen=True)
class Curve:
    """Errors by seconds of training, and how it ended."""

    seconds: list[float]
    errors: list[float]
    diverged: bool

    @property
    def error(self) -> float:
        """The error at the end."""
        return math.inf if self.diverged else self.errors[-1]


def settings(case: Case, rule: Rule, factor: int, share: float, seed: int) -> dict[str, Any]:
    """Return the config of a run."""
    steps = max(round(case.steps * share / factor), 10)
    rate: dict[str, Any] = {
        "name": "cosine",
        "initial": case.rates[rule.optimizer],
        "steps": steps,
    }
    if rule.scaling:
        rate["scaling"] = {"rule": rule.scaling, "reference_batch": case.batch}
        rate["warmup"] = max(steps // 10, 1)
    every = max(steps // 8, 1)
    return {
        **case.config,
        "seed": seed,
        "sampling": {**case.config["sampling"], case.key: case.batch * factor},
        "optimizer": {"name": rule.optimizer, "learning_rate": rate},
        "training": {
            "steps": steps,
            "evaluate_every": every,
            "log_every": every,
            "checkpoint_every": steps,
        },
        "processes": {"threads": 1},
    }


def measured(config: dict[str, Any]) -> Curve:
    """Train and return what happened."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            run = train(config, quiet=True, output=folder)
        except PdehvdError as error:
            if error.exit_code != DIVERGED:
                raise
            return Curve([], [], True)
        rows = run.history.dropna(subset=["relative_l2/u"])
        seconds = rows["step"] * float(run.summary["seconds_per_step"] or math.nan)
        return Curve(seconds.tolist(), rows["relative_l2/u"].tolist(), False)


class Kept:
    """Curves of runs that were made before, by config, in a file of JSON lines; or none."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path and path.exists() else []
        rows = map(json.loads, lines)
        self.curves = {self._key(row["config"]): Curve(**row["curve"]) for row in rows}

    def __contains__(self, config: dict[str, Any]) -> bool:
        return self._key(config) in self.curves

    def __getitem__(self, config: dict[str, Any]) -> Curve:
        return self.curves[self._key(config)]

    def add(self, config: dict[str, Any], curve: Curve) -> Curve:
        """Write down what a run has given, and return it."""
        if self.path:
            with self.path.open("a") as file:
                print(json.dumps({"config": config, "curve": vars(curve)}), file=file)
        return curve

    @staticmethod
    def _key(config: dict[str, Any]) -> str:
        return json.dumps(config, sort_keys=True)


Curves = dict[tuple[str, int], list[Curve]]


def study(
    case: Case, options: argparse.Namespace, each: Callable[..., Iterable[Curve]] = map
) -> Curves:
    """Return the curves of all seeds by rule and factor; a factor of 1 needs no rule.

    `each` is `map`, or that of several processes.
    """
    runs = [
        (name, factor, seed)
        for name in RULES
        for factor in options.factors
        if factor > 1 or name in ("none", "LAMB, sqrt, warm-up")
        for seed in range(1, options.seeds + 1)
    ]
    configs = [settings(case, RULES[name], f, options.share, seed) for name, f, seed in runs]
    kept = Kept(options.keep)
    missing = [config for config in configs if config not in kept]
    found = iter(each(measured, missing))
    curves: Curves = {}
    for (name, factor, seed), config in zip(runs, configs, strict=True):
        curve = kept[config] if config in kept else kept.add(config, next(found))
        curves.setdefault((name, factor), []).append(curve)
        say(f"{case.title}: {name}, x {factor}, seed {seed}: {curve.error:.3e}")
    return curves


def pin(cores: SimpleQueue[int]) -> None:
    """Keep this process on a core of its own."""
    os.sched_setaffinity(0, {cores.get()})


def all_studies(options: argparse.Namespace) -> dict[str, Curves]:
    """Return the curves of all cases, with so many runs at a time."""
    context = multiprocessing.get_context("spawn")
    cores = context.SimpleQueue()
    for core in sorted(os.sched_getaffinity(0))[: options.jobs]:
        cores.put(core)
    with ProcessPoolExecutor(options.jobs, context, pin, (cores,)) as pool:
        return {name: study(CASES[name], options, pool.map) for name in options.cases}


def median(found: Sequence[Curve]) -> tuple[float, float]:
    """Return the medians over the seeds of the error and of the seconds."""
    error = statistics.median(curve.error for curve in found)
    seconds = [curve.seconds[-1] for curve in found if curve.seconds]
    return error, statistics.median(seconds) if seconds else math.nan


COLUMNS = ("batch", "rule", "relative L2", "against batch x 1", "seconds")


def table(case: Case, curves: Curves) -> tuple[Table, list[str]]:
    """Return the table of a case, and the sentences about what the rules keep."""
    base = median(curves["none", 1])[0]
    caption = f"{case.title}: reference batch {case.batch}, {case.steps} steps of it."
    rows, notes = [], []
    for (name, factor), found in sorted(curves.items(), key=lambda item: item[0][1]):
        error, seconds = median(found)
        shown = (f"{error:.2e}", f"{error / base:.2f}") if math.isfinite(error) else GONE
        rows.append([f"x {factor} ({case.batch * factor})", name, *shown, f"{seconds:.1f}"])
    for factor in sorted({factor for _, factor in curves if factor > 1}):
        errors = {n: median(found)[0] for (n, f), found in curves.items() if f == factor}
        best = min((n for n in errors if n != "none"), key=lambda n: errors[n])
        verdict = "keeps" if errors[best] <= KEPT * base else "does not keep"
        title = case.title.split(",")[0].split()[0]
        notes.append(
            f"{title}, batch x {factor}: the best rule ({best}) {verdict} the error within 10 %."
        )
    return Table(COLUMNS, rows, caption), notes


def draw(found: dict[str, Curves], path: Path) -> None:
    """Draw, for each case, errors against the batch and against time."""
    from matplotlib.ticker import NullFormatter

    from pdehvd.results.plot_style import figure, line_style, log_axis, styled

    with styled():
        picture = figure(8.6, 3.1 * len(found))
        panels = picture.subplots(len(found), 2, squeeze=False)
        for (left, right), (name, curves) in zip(panels, found.items(), strict=True):
            base = curves["none", 1]
            for index, rule in enumerate(RULES):
                sizes = sorted(f for n, f in curves if n == rule)
                if not sizes:
                    continue
                ends = [(f, median(curves[rule, f])[0]) for f in sizes]
                if sizes[0] != 1:
                    ends = [(1, median(base)[0]), *ends]
                left.plot(*zip(*ends, strict=True), marker="o", label=rule, **line_style(index))
                shown = curves[rule, sizes[-1]][0]
                right.plot(shown.seconds, shown.errors, label=rule, **line_style(index))
            right.plot(base[0].seconds, base[0].errors, color="#888888", label="batch x 1")
            limit = median(base)[0] * KEPT
            left.axhline(limit, color="#888888", linewidth=0.8, linestyle=":", label=KEPT_LABEL)
            left.set(xscale="log", xlabel="batch, times the reference", title=CASES[name].title)
            right.set(xscale="log", xlabel="seconds", title="the largest batch, against time")
            left.set_xticks(sorted({f for _, f in curves}), sorted({f for _, f in curves}))
            for axes in (left, right):
                axes.xaxis.set_minor_formatter(NullFormatter())
                log_axis(axes)
                axes.set_ylabel("relative L2 error")
        entries = {
            label: line
            for axes in panels[0]
            for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        picture.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=3)
        picture.savefig(path)


def main() -> int:
    """Run the study."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--factors", nargs="+", type=int, default=list(FACTORS))
    parser.add_argument("--share", type=float, default=1.0, help="of the steps")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--keep", type=Path, help="write every run here; make none of it again")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args()
    options.factors = sorted({1, *options.factors})
    if not 1 <= options.jobs <= len(os.sched_getaffinity(0)):
        parser.error(f"--jobs: from 1 to {len(os.sched_getaffinity(0))}, the cores")
    found = all_studies(options)
    tables, notes = [], []
    for name, curves in found.items():
        one, kept = table(CASES[name], curves)
        tables.append(one)
        notes += kept
    machine_ = f"{processor()}; one thread."
    results = Results(this_command(), machine_, tables, notes)
    print(results.markdown())
    draw(found, options.picture)
    if options.write:
        publish("large_batch", results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
