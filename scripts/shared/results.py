"""Results of benchmarks: stored as JSON in docs/results, shown as tables on docs/benchmarks.md.

    .venv/bin/python -m scripts.shared.results [--check]

Rewrites the tables of the page from the stored results. Every benchmark does the same for its own
results when it is given --write.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts.shared import machine

STORE = Path(machine.ROOT, "docs", "results")
PAGE = Path(machine.ROOT, "docs", "benchmarks.md")
_BLOCK = re.compile(r"(<!-- results: (\w+) -->\n).*?(<!-- end of results -->)", re.DOTALL)


@dataclass(frozen=True)
class Table:
    """Cells as they are shown, and a sentence above them."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    def markdown(self) -> str:
        lines = (self.columns, ["---"] * len(self.columns), *self.rows)
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        return f"{self.caption}\n\n{table}" if self.caption else table


@dataclass(frozen=True)
class Results:
    """What a benchmark measured: the command, the machine, tables, and notes below them.

    `data` holds what the tables summarise.
    """

    command: str
    machine: str
    tables: Sequence[Table]
    notes: Sequence[str] = ()
    data: dict[str, Any] = field(default_factory=dict)

    def markdown(self) -> str:
        parts = [f"`{self.command}`", self.machine, *(table.markdown() for table in self.tables)]
        parts.append("\n".join(f"- {note}" for note in self.notes))
        return "\n\n".join(part for part in parts if part)


def this_command() -> str:
    """Return the command line of this process as a person types it."""
    spec = sys.modules["__main__"].__spec__
    assert spec is not None, "started as a file, not as a module"
    module = spec.name.removesuffix(".__main__")
    return shlex.join([".venv/bin/python", "-m", module, *sys.argv[1:]])


def processor() -> str:
    """Return the name of the processor and the number of cores that this process may use."""
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    name = found.group(1).strip() if found else platform.machine()
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


def load(name: str) -> Results:
    """Return stored results."""
    values = json.loads((STORE / f"{name}.json").read_text(encoding="utf-8"))
    tables = [Table(**table) for table in values.pop("tables")]
    return Results(tables=tables, **values)


def publish(name: str, results: Results) -> None:
    """Store results, and put their tables on the page."""
    text = json.dumps(asdict(results), indent=1)
    (STORE / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def updated(page: str) -> str:
    """Return the text of the page with all tables as they are stored."""
    return _BLOCK.sub(lambda found: found[1] + load(found[2]).markdown() + "\n" + found[3], page)


def names(page: str) -> list[str]:
    """Return the names of the results that the page shows."""
    return [found[2] for found in _BLOCK.finditer(page)]


def main() -> int:
    """Rewrite the page; with --check return 1 if it differs from the stored results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    options = parser.parse_args()
    old = PAGE.read_text(encoding="utf-8")
    new = updated(old)
    if options.check:
        return int(new != old)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
