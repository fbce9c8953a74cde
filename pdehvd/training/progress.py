"""A progress bar for people at a terminal, and a line now and then for log files."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
)
from rich.progress import (
    Progress as Bar,
)


class Progress:
    """Shows how far training is: a live bar on a terminal, else a line every `every` seconds.

    `PDEHVD_TERMINAL` (1 or 0) says whether a person looks where stdout is the launcher's, with
    `COLUMNS` as the width. `quiet` prints nothing. Only rank 0 should hold one that is not quiet.
    """

    def __init__(
        self,
        total: int,
        quiet: bool = False,
        start: int = 0,
        description: str = "training",
        every: float = 5.0,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self.quiet = quiet
        self.description = description
        self.every = every
        self._console = console or _console()
        self._clock = clock
        self._bar: Bar | None = None
        self._rate = _Rate(start, clock)
        self._next_line = -math.inf
        self._shown = ""
        self._last = ""

    def __enter__(self) -> Progress:
        if not self.quiet and self._console.is_terminal:
            self._bar = _bar(self._console)
            self._task = self._bar.add_task(
                self.description, total=self.total, completed=self._rate.start, facts="", left=""
            )
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        elif self._last and self._last != self._shown and not self.quiet:
            self._print(self._last)

    def update(
        self,
        step: int,
        loss: float,
        error: float | None = None,
        points_per_second: float | None = None,
        monitors: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Show global numbers at `step`: the loss, a relative error if one is known, the speed.

        Monitors stand in lines; a bar has no room for them.
        """
        if self.quiet:
            return
        facts = _facts(loss, error, points_per_second)
        left = _duration(self._rate.left(step, self.total))
        if self._bar is not None:
            self._bar.update(self._task, completed=step, facts=" ".join(facts), left=left)
            return
        counted = f"{self.description} {step}/{self.total}"
        more = [f"{name} {value:.4g}" for name, value in monitors.items()]
        self._last = "  ".join([counted, *facts, *more, f"{left} left"])
        now = self._clock()
        if now >= self._next_line:
            self._next_line = now + self.every
            self._shown = self._last
            self._print(self._last)

    def message(self, text: str) -> None:
        """Print a line above the bar, as it is."""
        if not self.quiet:
            self._print(text)

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class _Rate:
    """Estimates the time left from the steps since the first update.

    The first update is left out because compiling the step comes before it.
    """

    def __init__(self, start: int, clock: Callable[[], float]) -> None:
        self.start = start
        self._clock = clock
        self._first: tuple[int, float] | None = None

    def left(self, step: int, total: int) -> float:
        """Return the seconds left, NaN while they cannot be known."""
        now = self._clock()
        if step >= total:
            return 0.0
        if self._first is None:
            self._first = (step, now)
        steps, seconds = step - self._first[0], now - self._first[1]
        return seconds / steps * (total - step) if steps > 0 else math.nan


def _console() -> Console:
    """Return a console on stdout; a launcher between it and the person says if it is a terminal."""
    said = {"1": True, "0": False}.get(os.environ.get("PDEHVD_TERMINAL", ""))
    return Console(force_terminal=said, soft_wrap=True)


def _bar(console: Console) -> Bar:
    """Return a bar whose numbers are never cut short: a narrow terminal gets fewer columns."""
    wide = console.width >= 110
    columns: list[ProgressColumn] = [
        BarColumn(bar_width=24 if wide else 8),
        MofNCompleteColumn(),
        TextColumn("{task.fields[facts]}", markup=False),
        TextColumn("{task.fields[left]} left", markup=False),
    ]
    if wide:
        columns.insert(0, TextColumn("[bold]{task.description}"))
        columns.insert(2, TaskProgressColumn())
    return Bar(
        *columns,
        console=console,
        refresh_per_second=4,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def _facts(loss: float, error: float | None, points_per_second: float | None) -> list[str]:
    facts = [f"loss {loss:.2e}"]
    if error is not None:
        facts.append(f"error {error:.2e}")
    if points_per_second is not None and math.isfinite(points_per_second):
        facts.append(f"{_amount(points_per_second)} points/s")
    return facts


def _amount(number: float) -> str:
    """Return a count in three digits: 950, 9.5k, 12.3M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def _duration(seconds: float) -> str:
    """Return a time as 0:07, 12:30 or 1:02:03; -:-- while it is not known."""
    if not math.isfinite(seconds):
        return "-:--"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
