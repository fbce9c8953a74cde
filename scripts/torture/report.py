"""Tables of what `make torture` saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

from scripts.torture.cases import Case
from scripts.torture.judge import Result

_COLUMNS = ("", "cases", "survived", "most steps lost", "bits equal", "longest end, s")


def _row(name: str, results: Sequence[Result]) -> list[str]:
    return [
        name,
        str(len(results)),
        str(sum(not result.problems for result in results)),
        str(max((result.lost for result in results), default=0)),
        str(sum(result.same_bits for result in results)),
        f"{max((r.ended for r in results if not r.case.restarts), default=0):.1f}",
    ]


def rows(results: Sequence[Result]) -> list[list[str]]:
    """Return a row for each launcher, victim, signal and moment, and one for all."""
    groups: list[tuple[str, Callable[[Case], str]]] = [
        ("launcher", lambda case: case.launcher),
        ("victim", lambda case: case.victim),
        ("signal", lambda case: case.signal),
        ("moment", lambda case: case.moment),
        ("damaged", lambda case: case.damage),
        ("restarted by the launcher", lambda case: "yes" if case.restarts else ""),
    ]
    table = []
    for title, of in groups:
        names = dict.fromkeys(of(result.case) for result in results)
        table += [
            _row(f"{title}: {name}", [r for r in results if of(r.case) == name])
            for name in names
            if name
        ]
    return [*table, _row("all", results)]


def markdown(results: Sequence[Result]) -> str:
    """Return the table as Markdown."""
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *rows(results)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def show(results: Sequence[Result]) -> None:
    """Print the table, and what failed."""
    table = Table(*_COLUMNS)
    for row in rows(results):
        table.add_row(*row)
    console = Console()
    console.print(table)
    for result in results:
        if result.problems:
            console.print(f"{result.case.name}: {'; '.join(result.problems)}", markup=False)
