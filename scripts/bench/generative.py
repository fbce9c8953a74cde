"""Generative training: speed, speed-up and memory, against Keras and the convolutions alone.

    .venv/bin/python -m scripts.bench.generative [--sizes 64 256 1024 2048] [--repeats 3] [--write]
    .venv/bin/python -m scripts.bench.generative --levels [--write]

Trains a U-Net on the problem of configs/poisson_kl_N.yaml at its finest level with Adam, and
the same network by Keras's `fit` and its convolutions alone (peer_keras.py). Everything runs in
turn in one call, in processes of its own with one thread, each on its own core. Numbers are medians
over the repeats, ratios are medians of the ratios of neighbouring runs. Steps are timed from end to
end, so that drawing samples counts (Keras has them drawn before); the first steps, which compile,
do not. Two processes share the batch of one (strong scaling); next to that is what the
convolutions alone gain when two processes take half a batch each and exchange nothing. Of Keras's
ways to compile the faster is what we compare with. Memory is the most that a process ever has, with
the pictures at the end of a run.

--levels measures instead the time to an error with coarse levels first, as in the config, and
without.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

from scripts.bench.generative_runs import REMAT_SIZE, Run, Runs, say, train, unet_settings
from scripts.shared.results import Results, processor, publish, this_command
from scripts.shared.results import Table as Shown

OWN = "Speed-up on two processes, strong scaling:"
PEER = "One process against the same network in Keras, and against its convolutions alone:"
STEPS = {64: 30, 256: 12, 1024: 4, 2048: 3}
QUICK = {64: 6, 256: 3}
KERAS = ("default", "without XLA")
# Target error at a resolution, on how many held-out samples, steps between evaluations, and the
# seconds after which a run gives up.
GOAL, LEVELS_SIZE, HELD_OUT, LOOK, PATIENCE = 3e-2, 256, 16, 10, 1200


ERROR: dict[str, Any] = {
    "sampling.held_out": HELD_OUT,
    "training.evaluate_every": LOOK,
    "training.checkpoint_every": 10_000,
    "training.log_every": LOOK,
    "training.stop_at": {"relative_l2": GOAL},
    "training.max_seconds": PATIENCE,
}


class Table:
    """Rounds of runs side by side; a side that a round lacks has no numbers."""

    def __init__(self) -> None:
        self.rounds: list[dict[str, Run]] = []

    def median(self, value: Callable[[dict[str, Run]], float]) -> float | None:
        """Return the median over the rounds of what `value` makes of each."""
        try:
            return statistics.median(value(found) for found in self.rounds)
        except KeyError:
            return None

    def seconds(self, side: str) -> float | None:
        return self.median(lambda found: found[side].seconds)

    def memory(self, side: str) -> float | None:
        return self.median(lambda found: found[side].mebibytes)

    def ratio(self, above: str, below: str) -> float | None:
        """Return the ratio of the seconds of two sides."""
        return self.median(lambda found: found[above].seconds / found[below].seconds)


class Speed(Table):
    """All sides at one resolution."""

    def __init__(self, size: int, options: argparse.Namespace) -> None:
        super().__init__()
        say(f"{size} x {size}")
        settings = unet_settings(size)
        self.size, self.batch = size, settings["sampling.batch"]
        self.np, self.sides = options.np, [f"ours {n}" for n in options.np]
        runs = Runs(size, options.steps[size], settings, options.cores)
        ways: tuple[str, ...] = KERAS
        for _ in range(options.repeats):
            found = {f"ours {n}": runs.ours(n) for n in options.np}
            keras = {way: runs.keras(way) for way in ways}
            found |= {way: run for way, run in keras.items() if run is not None}
            # What did not fit once is not tried again.
            ways = tuple(way for way in ways if way in found)
            found |= {floor(n): runs.convolutions(n) for n in options.np}
            self.rounds.append(found)
        self.way = min(ways, key=lambda way: self.seconds(way) or 0, default="no way")

    def own_row(self) -> list[str]:
        """Return the cells about `pdehvd train`."""
        seconds = [self.seconds(side) or 0 for side in self.sides]
        return [
            f"{self.size}",
            f"{self.batch}",
            f"{self.rounds[0]['ours 1'].parameters}",
            *map(number, seconds),
            *(bold(self.ratio("ours 1", side)) for side in self.sides[1:]),
            *(number(self.ratio("floor", floor(n))) for n in self.np[1:]),
            *(number(self.batch / one) for one in seconds),
            *(number(self.memory(side), ".0f") for side in self.sides),
        ]

    def peer_row(self) -> list[str]:
        """Return the cells about one process, Keras and the convolutions."""
        return [
            f"{self.size}",
            number(self.seconds("ours 1")),
            *(number(self.seconds(way), none="does not fit") for way in KERAS),
            bold(self.ratio(self.way, "ours 1")),
            number(self.seconds("floor")),
            bold(self.ratio("ours 1", "floor")),
            *(number(self.memory(side), ".0f") for side in ("ours 1", self.way, "floor")),
        ]


class Remat(Table):
    """Stages computed again in the backward pass, or kept; one process."""

    def __init__(self, size: int, options: argparse.Namespace) -> None:
        super().__init__()
        say(f"remat at {size} x {size}")
        settings = unet_settings(size)
        self.batch = settings["sampling.batch"] = options.batch or settings["sampling.batch"]
        self.size, depth = size, settings["model"]["depth"]
        runs = Runs(size, options.steps[size], settings, options.cores)
        for _ in range(options.repeats):
            sides = {side: runs.ours(1, {"model.remat": side == "on"}) for side in ("on", "off")}
            self.rounds.append({**sides, "floor": runs.convolutions()})
        # What a process needs in addition to the images: the same network on the fewest nodes.
        few = {"problem.resolution": 2**depth, "sampling.batch": 1}
        self.base = runs.ours(1, few).mebibytes

    def rows(self) -> list[list[str]]:
        """Return the rows of both sides."""
        return [
            [
                f"{self.size}",
                f"{self.batch}",
                side,
                number(self.seconds(side)),
                number(self.ratio(side, "off")),
                number(self.ratio(side, "floor")),
                number(self.memory(side), ".0f"),
                number((self.memory(side) or 0) - self.base, ".0f"),
            ]
            for side in ("on", "off")
        ]

    def saved(self) -> tuple[float, float]:
        """Return how many times less memory there is with remat: all of it, and beyond the base."""
        on, off = (self.memory(side) or 0 for side in ("on", "off"))
        return off / on, (off - self.base) / (on - self.base)


def floor(np_: int) -> str:
    """Return what the convolutions alone on some cores are called."""
    return "floor" if np_ == 1 else f"floor {np_}"


def number(value: float | None, form: str = ".3g", none: str = "-") -> str:
    """Return a number as a cell."""
    return none if value is None else f"{value:{form}}"


def bold(value: float | None) -> str:
    """Return a ratio as a cell."""
    return number(value) if value is None else f"**{number(value)}**"


def reached(speeds: Sequence[Speed], remat: Remat | None) -> list[list[str]]:
    """Return rows of targets and what was measured."""

    def each(value: Callable[[Speed], float | None]) -> str:
        known = ((value(speed), speed.size) for speed in speeds)
        return ", ".join(f"{number(ratio)} at {size}" for ratio, size in known if ratio is not None)

    rows = [["ratio to Keras of at least 1", each(lambda speed: speed.ratio(speed.way, "ours 1"))]]
    if all("ours 2" in speed.sides for speed in speeds):
        aim = "speed-up of at least 1.8 on 2 processes"
        rows.append([aim, each(lambda speed: speed.ratio("ours 1", "ours 2"))])
        limit = "for comparison: speed-up of the convolutions alone, without communication"
        rows.append([limit, each(lambda speed: speed.ratio("floor", floor(2)))])
    if remat is not None:
        over = [f"{number(remat.ratio(s, 'floor'))} with remat {s}" for s in ("on", "off")]
        rows.append([f"at most 1.25 times the convolutions at {remat.size}", ", ".join(over)])
        less, beyond = remat.saved()
        time = number(remat.ratio("on", "off"))
        rows.append(
            [
                "`remat`: at least 3 times less memory at 1.4 times the time or less",
                f"{less:.2f} times less ({beyond:.2f} beyond the base), {time} times the time",
            ]
        )
    return rows


def facts() -> str:
    """Return a sentence about machine and versions."""
    versions = [f"{n} {metadata.version(n.lower())}" for n in ("TensorFlow", "Keras", "Horovod")]
    return (
        f"{processor()}; {', '.join(versions)}, Python {platform.python_version()}; "
        "one thread per process, each on its own core."
    )


def speed(options: argparse.Namespace) -> list[Shown]:
    """Return the tables of all resolutions."""
    speeds = [Speed(size, options) for size in options.sizes]
    remat = Remat(options.remat, options) if options.remat else None
    own = ["size", "batch", "parameters"]
    own += [f"s per step, {n} process{'es' if n > 1 else ''}" for n in options.np]
    own += [f"speed-up on {n}" for n in options.np[1:]]
    own += [f"speed-up of the convolutions alone on {n}" for n in options.np[1:]]
    own += [f"samples per s, {n}" for n in options.np]
    own += [f"MiB per process, {n}" for n in options.np]
    peer = ["size", "s per step", "Keras with XLA", "Keras without XLA", "ratio to Keras"]
    peer += ["convolutions alone", "ratio to the convolutions"]
    peer += ["MiB", "MiB of Keras", "MiB of the convolutions"]
    tables = [Shown(own, [one.own_row() for one in speeds], OWN)]
    tables.append(Shown(peer, [one.peer_row() for one in speeds], PEER))
    if remat is not None:
        head = ["size", "batch", "remat", "s per step", "ratio to off", "ratio to the convolutions"]
        head += ["MiB", f"beyond the base of {remat.base:.0f} MiB"]
        tables.append(Shown(head, remat.rows(), "Recomputed activations (`remat`):"))
    return [*tables, Shown(["target", "measured"], reached(speeds, remat), "Targets:")]


def levels(options: argparse.Namespace) -> list[Shown]:
    """Return the table of times to an error, with a coarse level first and without."""
    np_ = options.np[-1]
    found: dict[str, list[dict[str, Any]]] = {"with levels": [], "at the finest level only": []}
    for _ in range(options.repeats):
        for side, more in zip(found, ({}, {"training.levels": None}), strict=True):
            summary, *_ = train(LEVELS_SIZE, {**ERROR, **more}, np_, options.cores)
            say(f"  {side}: {summary['reason']} after {summary['seconds']:.1f} s")
            found[side].append(summary)
    rows = []
    for side, summaries in found.items():
        rows.append([side])
        for name in ("seconds", "steps"):
            rows[-1].append(number(statistics.median(s[name] for s in summaries), ".0f"))
        rows[-1].append(", ".join(number(s["relative_l2"]["u"], ".1e") for s in summaries))
    size = f"{LEVELS_SIZE} x {LEVELS_SIZE}"
    head = [f"{size}, {np_} processes", f"seconds to {GOAL:.0e}", "steps", "relative L2 then"]
    caption = (
        f"`configs/poisson_kl_{LEVELS_SIZE}.yaml` as shipped, and with `training.levels` null; "
        f"at most {PATIENCE} seconds per run."
    )
    return [Shown(head, rows, caption)]


def parsed() -> argparse.Namespace:
    """Return the command line's options; `np` starts with 1 and fits the machine."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", nargs="*", type=int, choices=list(STEPS), default=list(STEPS))
    parser.add_argument("--np", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", nargs="*", type=int, help="timed steps, for each of the sizes")
    parser.add_argument("--batch", type=int, help="samples of the runs with and without remat")
    parser.add_argument("--quick", action="store_true", help="64 and 256, few steps, once")
    parser.add_argument("--levels", action="store_true", help="time to an error, nothing else")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    options = parser.parse_args()
    if options.quick:
        options.sizes, options.repeats = list(QUICK), 1
    known = QUICK if options.quick else STEPS
    counts = options.steps or [known[size] for size in options.sizes]
    finest = options.sizes[-1] if options.quick else REMAT_SIZE
    options.remat = finest if finest in options.sizes else None
    if len(counts) != len(options.sizes):
        parser.error("as many --steps as --sizes")
    options.steps = {**STEPS, **dict(zip(options.sizes, counts, strict=True))}
    options.cores = sorted(os.sched_getaffinity(0))
    options.np = sorted({1, *(n for n in options.np if n <= len(options.cores))})
    return options


def main() -> int:
    """Run the command line."""
    options = parsed()
    name, measure = ("generative_levels", levels) if options.levels else ("generative", speed)
    results = Results(this_command(), facts(), measure(options))
    print(results.markdown())
    if options.write:
        publish(name, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
