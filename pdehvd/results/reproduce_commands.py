"""The commands of a report: how a run was started, and how to have it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from pdehvd.config.data_record import CONFIG
from pdehvd.config.files import TEMPORARY

NOTE = "Has the run been moved? `pdehvd report` writes this page again, with its new place."


def commands(directory: Path, summary: Mapping[str, Any], environment: Mapping[str, Any]) -> str:
    """Return the command that made a run, and the one that repeats it from what it stored.

    They can be copied into a shell that stands anywhere: every path is absolute, or follows a
    `cd`. A config that was given in Python, and was never a file to keep, has the second only.
    """
    count = int(summary.get("processes") or 1)
    command = [str(part) for part in environment.get("command", ())]
    folder = Path(environment.get("folder", ""))
    again = ["pdehvd", "train", str(directory.resolve() / CONFIG), "--np", str(count)]
    for option, value in pairwise(_words(command)):
        if option == "--plugin":
            again += [option, str(folder / value)]
    lines = ["# again, from the config that the run stored", shlex.join(again)]
    if command and not any(Path(part).name.startswith(TEMPORARY) for part in command):
        lines = ["# as it was started", _started(command, folder, count), "", *lines]
    return "\n".join(lines)


def _started(command: Sequence[str], folder: Path, count: int) -> str:
    """Return the command that was typed; the processes that it starts do not see its --np."""
    numbered = [*command, "--np", str(count)]
    shown = numbered if count > 1 and "--np" not in _words(command) else command
    stand = f"cd {shlex.quote(str(folder))} && " if folder.is_absolute() else ""
    return stand + shlex.join(shown)


def _words(command: Sequence[str]) -> list[str]:
    """Return a command with `--option=VALUE` as two words."""
    return [
        word
        for part in command
        for word in (part.split("=", 1) if part.startswith("--") else [part])
    ]
