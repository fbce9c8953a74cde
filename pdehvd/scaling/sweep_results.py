"""Results of a sweep: medians, speed-up, efficiency, and the breakdown of a step."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from pdehvd.spec.plain import Facts

DEFINITIONS = {
    "strong": "strong scaling, fixed global batch: speed-up T1/Tp, efficiency T1/(p Tp)",
    "weak": "weak scaling, fixed batch per process: speed-up p T1/Tp, efficiency T1/Tp",
    "split": "computing: mean over processes of the time outside collectives; communication: what "
    "the last process to arrive at a collective spends in it; waiting: mean over processes of what "
    "they spend in collectives beyond that",
    "memory": "memory: the maximum of any process during training, including TensorFlow",
}
_SHARES = ("computing", "communication", "waiting")


def speed_up(mode: str, processes: int, one: float, many: float) -> float:
    """Return how many times as much work is done in a second: T1/Tp strong, p T1/Tp weak."""
    return one / many * (processes if mode == "weak" else 1)


def efficiency(mode: str, processes: int, one: float, many: float) -> float:
    """Return the speed-up per process: T1/(p Tp) strong, T1/Tp weak."""
    return speed_up(mode, processes, one, many) / processes


@dataclass(frozen=True)
class Row:
    """All repeats on one number of processes: medians; `least` and `most` are those of a step."""

    mode: str
    processes: int
    points: int
    step: float
    least: float
    most: float
    speed_up: float
    efficiency: float
    computing: float
    communication: float
    waiting: float
    memory_mib: float
    oversubscribed: bool

    @property
    def throughput(self) -> float:
        """Points, or samples, per second."""
        return self.points / self.step


def rows(runs: Sequence[Facts], modes: Sequence[str], cores: int) -> dict[str, list[Row]]:
    """Return the rows of every mode; one process belongs to all of them."""
    ones = [run for run in runs if run["processes"] == 1]
    found: dict[str, list[Row]] = {}
    for mode in modes:
        own = [run for run in runs if run["mode"] == mode and run["processes"] > 1]
        counts = sorted({run["processes"] for run in [*ones, *own]})
        base = statistics.median(run["step"] for run in ones)
        found[mode] = [
            _row(mode, n, [run for run in [*ones, *own] if run["processes"] == n], base, n > cores)
            for n in counts
        ]
    return found


def _row(
    mode: str, processes: int, runs: Sequence[Facts], base: float, oversubscribed: bool
) -> Row:
    def median(name: str) -> float:
        values = [run[name] for run in runs if run[name] is not None]
        return statistics.median(values) if values else 0.0

    steps = [run["step"] for run in runs]
    step = statistics.median(steps)
    return Row(
        mode=mode,
        processes=processes,
        points=runs[0]["points"],
        step=step,
        least=min(steps),
        most=max(steps),
        speed_up=speed_up(mode, processes, base, step),
        efficiency=efficiency(mode, processes, base, step),
        computing=median("computing"),
        communication=median("communication"),
        waiting=median("waiting"),
        memory_mib=median("memory_mib"),
        oversubscribed=oversubscribed,
    )


HEAD = (
    "np",
    "points",
    "ms/step",
    "range",
    "points/s",
    "speed-up",
    "efficiency",
    "computing",
    "communication",
    "waiting",
    "MiB",
)


def row_cells(row: Row) -> list[str]:
    """Return a row of the table; the split in ms, a star where processes share cores."""
    return [
        f"{row.processes}{'*' if row.oversubscribed else ''}",
        f"{row.points}",
        f"{row.step * 1e3:.3g}",
        f"{row.least * 1e3:.3g} - {row.most * 1e3:.3g}",
        f"{row.throughput:.3g}",
        f"{row.speed_up:.2f}",
        f"{row.efficiency:.2f}",
        *(f"{getattr(row, name) * 1e3:.3g}" for name in _SHARES),
        f"{row.memory_mib:.0f}",
    ]
