"""What goes between a job's launcher and its ranks, so that it can start them again."""

from __future__ import annotations

import os
from pathlib import Path

from pdehvd.errors import EnvironmentFault
from pdehvd.launch.ranks import OWN

NOTE = "PDEHVD_NOTE"
"""Environment variable: the file in which rank 0 names its run directory."""


def note_run(directory: Path) -> None:
    """Tell the launcher, if it is ours, which run directory rank 0 has chosen.

    Raises `EnvironmentFault` on another machine that does not see the launcher's folder.
    """
    note = os.environ.get(NOTE)
    if note:
        new = Path(f"{note}.new")
        if not new.parent.is_dir():
            raise EnvironmentFault(
                f"{new.parent.parent} is another folder on the machine of the launcher: start an "
                "elastic job in a folder that all machines share"
            )
        new.write_bytes(os.fsencode(directory))
        os.replace(new, note)


def restarts() -> int:
    """Return after how many deaths the launcher has started this job again."""
    count = os.environ.get(OWN, "")
    return int(count) if count.isdigit() else 0
