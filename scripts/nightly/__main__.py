"""Everything that takes longer than the tests: configs to their stated errors, cases, campaigns.

make nightly
make nightly ARGS="--only configs/heat_1d"
make nightly ARGS="--again"
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from pdehvd.errors import counted
from scripts.nightly.jobs import ROOT, Job, all_jobs

STORE = ROOT / "docs" / "results" / "nightly.json"
PAGE = ROOT / "docs" / "reliability.md"
_TABLE = re.compile(r"(<!-- nightly: begin -->\n).*?(<!-- nightly: end -->)", re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """A stored result."""

    part: str
    name: str
    result: str
    good: bool
    seconds: int
    date: str
    version: str

    @property
    def key(self) -> str:
        return f"{self.part}/{self.name}"


def stored() -> dict[str, Entry]:
    """Return the results by part and name."""
    if not STORE.exists():
        return {}
    entries = [Entry(**values) for values in json.loads(STORE.read_text(encoding="utf-8"))]
    return {entry.key: entry for entry in entries}


def store(entries: dict[str, Entry]) -> None:
    """Write all results, so that an interrupted night continues from there."""
    STORE.parent.mkdir(exist_ok=True)
    text = json.dumps([asdict(entry) for entry in entries.values()], indent=1)
    STORE.write_text(text + "\n", encoding="utf-8")


def table(entries: dict[str, Entry]) -> str:
    """Return the results as a table of Markdown."""
    lines = ["| part | job | result | passed | s | date |", "|---|---|---|---|---|---|"]
    for entry in entries.values():
        result = entry.result.replace("|", "\\|").replace("<", "\\<")
        cells = (entry.part, entry.name, result, "yes" if entry.good else "**no**")
        lines.append("| " + " | ".join((*cells, f"{entry.seconds}", entry.date)) + " |")
    return "\n".join(lines) + "\n"


def version() -> str:
    """Return a digest of the package's source: results of another version are old."""
    from pdehvd.launch.tensorflow_import import import_tensorflow

    import_tensorflow()
    from pdehvd.experiment.sameness import source_digest

    return source_digest()[:12]


def write(entries: dict[str, Entry]) -> None:
    """Put the table in its place on the page."""
    text = PAGE.read_text(encoding="utf-8")
    new = _TABLE.sub(lambda match: match[1] + table(entries) + match[2], text)
    PAGE.write_text(new, encoding="utf-8")


class Cores:
    """Lets jobs wait until enough of this machine's cores are free."""

    def __init__(self, count: int) -> None:
        self._count = self._free = count
        self._change = threading.Condition()

    @contextmanager
    def held(self, cores: int) -> Iterator[None]:
        """Take cores from the others for as long as the block runs."""
        wanted = min(cores, self._count)
        with self._change:
            self._change.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._change:
                self._free += wanted
                self._change.notify_all()


def results(jobs: list[Job]) -> Iterator[Entry]:
    """Run jobs side by side as far as the cores go; return the outcome of each, as it ends."""
    count = os.cpu_count() or 1
    cores, now = Cores(count), version()

    def perform(job: Job) -> Entry:
        with cores.held(job.cores):
            outcome, seconds = job.run()
        date = datetime.date.today().isoformat()
        return Entry(job.part, job.name, outcome.result, outcome.good, round(seconds), date, now)

    with ThreadPoolExecutor(count) as pool:
        for future in as_completed([pool.submit(perform, job) for job in jobs]):
            yield future.result()


def main() -> int:
    """Run what is due, store and print each result; 1 if one has failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="jobs whose part/name starts with this")
    parser.add_argument("--again", action="store_true", help="also what this version has done")
    parser.add_argument("--list", action="store_true", help="print the jobs and end")
    given = parser.parse_args()
    jobs = {f"{job.part}/{job.name}": job for job in all_jobs()}
    entries = {key: entry for key, entry in stored().items() if key in jobs}
    chosen = {key: job for key, job in jobs.items() if key.startswith(given.only)}
    now = version()
    if given.list:
        print("\n".join(chosen))
        return 0
    done = {key for key, entry in entries.items() if entry.version == now and not given.again}
    due = [job for key, job in chosen.items() if key not in done]
    for number, entry in enumerate(results(due), 1):
        entries[entry.key] = entry
        entries = {key: entries[key] for key in jobs if key in entries}
        store(entries)
        write(entries)
        word = "" if entry.good else "FAILED: "
        print(f"{number}/{len(due)} {entry.key}: {word}{entry.result}", flush=True)
    bad = [key for key in chosen if not entries[key].good]
    print("\n".join([f"{counted(len(chosen), 'job')}, {len(bad)} failed", *bad]))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
