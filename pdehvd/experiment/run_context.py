"""Where a process stands and where the run is written."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pdehvd.assembly import run_directory as folder
from pdehvd.comm.group import Group
from pdehvd.comm.watchdog import Watchdog


@dataclass(frozen=True)
class RunLocation:
    """Where this process stands and where the run is written."""

    group: Group
    directory: Path
    threads: int
    quiet: bool
    watchdog: Watchdog

    @property
    def writes(self) -> bool:
        return self.group.rank == 0

    def say(self, text: str, failure: bool = False) -> None:
        """Print a line on rank 0 and keep it in log.txt.

        A failure goes to stderr, whether the run is quiet or not.
        """
        if not self.writes:
            return
        with open(self.directory / folder.LOG, "a", encoding="utf-8", errors="replace") as log:
            log.write(f"{time.strftime('%H:%M:%S')} {text}\n")
        if failure or not self.quiet:
            print(text, flush=True, file=sys.stderr if failure else sys.stdout)
