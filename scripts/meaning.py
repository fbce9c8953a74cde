"""Random problems with known solutions: what the program imposes, against NumPy and shapely.

make meaning
make meaning ARGS="--seed 7 --first 123 --cases 1"
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from meaning_cases import draw
from meaning_judge import Finding, judge
from meaning_train import trained
from rich.console import Console
from rich.table import Table


def look(seed: int, number: int) -> Finding:
    """Judge one case; the same for the same seed and number."""
    return judge(draw(seed, number), number)


def table(findings: list[Finding], seed: int) -> Table:
    """Return a row for each check: how often it was made, and how often it failed."""
    result = Table("check", "made", "failed", title=f"seed {seed}, {len(findings)} cases")
    names = sorted({name for finding in findings for name in finding.made})
    for name in names:
        made = sum(finding.made.get(name, 0) for finding in findings)
        failed = sum(name == check for finding in findings for check, _ in finding.problems)
        result.add_row(name, str(made), str(failed))
    return result


def main() -> int:
    """Run the campaign, print the table; 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4))
    parser.add_argument("--train", type=int, default=3, help="problems to train to their error")
    given = parser.parse_args()
    numbers = range(given.first, given.first + given.cases)
    work = partial(look, given.seed)
    if given.jobs == 1:
        findings = list(map(work, numbers))
    else:
        with ProcessPoolExecutor(given.jobs) as pool:
            findings = list(pool.map(work, numbers, chunksize=5))
    Console().print(table(findings, given.seed))
    found = [finding for finding in findings if finding.problems]
    for finding in found:
        print(finding.show(), flush=True)
    with tempfile.TemporaryDirectory(prefix="meaning-") as folder:
        numbers = range(given.train)
        wrong = [line for n in numbers for line in trained(given.seed, n, Path(folder) / str(n))]
    print(f"{given.train} trained, {len(wrong)} findings", *wrong, sep="\n", flush=True)
    return 1 if found or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
