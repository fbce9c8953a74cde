"""Compares random problems, as the program builds them, with an independent evaluation.

make meaning
make meaning ARGS="--seed 7 --first 123 --cases 1"
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.meaning.finding import Finding
from scripts.shared.workers import announce, rows

CHUNK = 25
_PATIENCE = 3600.0


def campaign(seed: int, numbers: range) -> Iterator[Finding]:
    """Judge problems in this process; an exception that comes out is a finding."""
    from scripts.meaning.judge import judge
    from scripts.meaning.problems import problem

    for number in numbers:
        with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
            try:
                yield judge(problem(seed, number), Path(folder))
            except Exception:
                lines = traceback.format_exc().splitlines()
                yield Finding(number, "?", problems=["; ".join(lines[-3:])])


def chunk(seed: int, numbers: range, worker: str = "scripts.meaning") -> list[Finding]:
    """Judge problems in a process of their own."""
    found = rows(worker, ["--seed", str(seed)], numbers, _PATIENCE)
    return [Finding(**row) for row in found]


def judged(seed: int, numbers: range, jobs: int) -> list[Finding]:
    """Judge all problems, several at a time."""
    stop, found = numbers.stop, []
    parts = [range(first, min(first + CHUNK, stop)) for first in range(numbers.start, stop, CHUNK)]
    with ThreadPoolExecutor(jobs) as pool:
        for part in pool.map(lambda part: chunk(seed, part), parts):
            found += part
            wrong = sum(bool(one.problems) for one in found)
            announce(f"{len(found)} of {len(numbers)} problems, {wrong} findings")
    return found


def table(found: Sequence[Finding], seed: int) -> Table:
    """Return a row for each kind of domain and of condition."""
    result = Table("with", "problems", "refused", "findings", title=f"seed {seed}")
    kinds = Counter(word for one in found for word in set(one.what.split("; ")[-1].split()))
    kinds |= Counter(word for one in found for word in one.what.split("; ")[0].split(" on ")[1:])
    for kind in sorted(kinds):
        mine = [one for one in found if kind in one.what.replace(";", "").split()]
        cells = (len(mine), sum(one.refused for one in mine), sum(bool(o.problems) for o in mine))
        result.add_row(kind, *map(str, cells))
    return result


def summary(found: Sequence[Finding], errors: Sequence[float]) -> str:
    """Return the one line that says how it went."""
    counts = [
        f"{len(found)} problems",
        f"{sum(one.accepted for one in found)} accepted",
        f"{sum(one.refused for one in found)} refused",
        f"{sum(bool(one.problems) for one in found)} findings",
        f"largest residual of an exact solution {max((o.residual for o in found), default=0):.1e}",
    ]
    if errors:
        counts.append("trained to errors of " + ", ".join(f"{error:.1e}" for error in errors))
    return "; ".join(counts)


def main() -> int:
    """Run the campaign, print its findings, a table and one line; 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first problem")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4))
    parser.add_argument("--train", type=int, default=3, help="how many problems are trained")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    numbers = range(given.first, given.first + given.cases)
    if given.worker:
        for one in campaign(given.seed, numbers):
            announce(json.dumps(asdict(one)))
        return 0
    from scripts.meaning.training import ALLOWED, trained

    found = judged(given.seed, numbers, given.jobs)
    errors = [trained(given.seed, number) for number in range(given.train)]
    Console().print(table(found, given.seed))
    for one in found:
        for what in one.problems:
            announce(f"{one.number} ({one.what}): {what}")
    announce(summary(found, errors))
    # An error that is not a number is not a success either.
    good = all(error < ALLOWED for error in errors)
    return 0 if good and not any(one.problems for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
