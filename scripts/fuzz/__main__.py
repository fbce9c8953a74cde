"""Types commands with bad configs, data, fields and checkpoints, and looks at what they do.

make fuzz
make fuzz ARGS="--seed 7 --kind config --first 1234 --cases 1"
"""

from __future__ import annotations

import argparse
import json
import os
import pkgutil
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.fuzz.verdict import Verdict, show
from scripts.shared.workers import announce, rows

# Imported where cases are run: whoever only counts them needs no TensorFlow.
KINDS = {
    "config": "scripts.fuzz.configs:Configs",
    "table": "scripts.fuzz.tables:Tables",
    "field": "scripts.fuzz.fields:Fields",
    "run": "scripts.fuzz.runs:Runs",
}
# Of a hundred cases.
SHARES = {"config": 55, "table": 25, "field": 10, "run": 10}
CHUNK = 250
_PATIENCE = 1800.0


def counts(total: int) -> dict[str, int]:
    """Return how many cases each kind gets."""
    return {name: max(1, total * share // 100) for name, share in SHARES.items()}


def campaign(name: str, seed: int, numbers: range, root: Path) -> Iterator[Verdict]:
    """Run cases of a kind in this process, in folders below an empty `root`."""
    from scripts.fuzz.judge import judge

    here = os.getcwd()
    cache = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(root / "cache")
    (root / "keep.txt").write_text("This must not change.")
    kind = pkgutil.resolve_name(KINDS[name])(root)
    try:
        for number in numbers:
            yield judge(kind, seed, number, root)
    finally:
        os.chdir(here)
        del os.environ["XDG_CACHE_HOME"]
        os.environ |= {"XDG_CACHE_HOME": cache} if cache else {}


def work(name: str, seed: int, numbers: range) -> None:
    """Run cases and write a line before and after each: whoever reads sees which one died."""
    root = Path(tempfile.mkdtemp(prefix="fuzz-")).resolve()
    try:
        announce(json.dumps(numbers.start))
        for verdict in campaign(name, seed, numbers, root):
            announce(json.dumps(asdict(verdict)))
            announce(json.dumps(verdict.number + 1))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def chunk(name: str, seed: int, numbers: range, worker: str = "scripts.fuzz") -> list[Verdict]:
    """Run cases in a process of their own."""
    found = rows(worker, ["--kind", name, "--seed", str(seed)], numbers, _PATIENCE)
    return [Verdict(**{"kind": name, "code": -1, **row}) for row in found]


def table(verdicts: list[Verdict], seed: int) -> Table:
    """Return a row for each kind and one for all."""
    result = Table(
        "kind", "cases", "refused", "accepted", "findings", "slowest, s", title=f"seed {seed}"
    )
    names = [name for name in KINDS if any(v.kind == name for v in verdicts)]
    for name in [*names, "all"]:
        mine = [verdict for verdict in verdicts if name in ("all", verdict.kind)]
        refused = sum(verdict.code in (2, 3) for verdict in mine)
        accepted = sum(verdict.code == 0 for verdict in mine)
        findings = sum(bool(verdict.problems) for verdict in mine)
        slowest = max((verdict.seconds for verdict in mine), default=0)
        cells = (len(mine), refused, accepted, findings)
        result.add_row(name, *map(str, cells), f"{slowest:.1f}")
    return result


def main() -> int:
    """Run the campaign, print a table and one line; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4))
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work(given.kind, given.seed, range(given.first, given.first + given.cases))
        return 0
    wanted = {given.kind: given.cases} if given.kind else counts(given.cases)
    verdicts: list[Verdict] = []
    chunks = []
    for name, count in wanted.items():
        stop = given.first + count
        chunks += [
            (name, range(first, min(first + CHUNK, stop)))
            for first in range(given.first, stop, CHUNK)
        ]
    total = sum(wanted.values())
    with ThreadPoolExecutor(given.jobs) as pool:
        jobs = [pool.submit(chunk, name, given.seed, numbers) for name, numbers in chunks]
        for job in jobs:
            verdicts += job.result()
            findings = [verdict for verdict in verdicts if verdict.problems]
            announce(f"{len(verdicts)} of {total} cases, {len(findings)} findings")
    Console().print(table(verdicts, given.seed))
    for verdict in findings:
        announce(show(verdict))
    announce(f"{len(verdicts)} cases; {len(findings)} findings; seed {given.seed}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
