"""The commands of a report: how a run was started, and how to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from pdehvd.config.data_record import CONFIG
from pdehvd.config.files import TEMPORARY
from pdehvd.launch.commands import TrainCommand
from pdehvd.launch.typed_command import program
from pdehvd.spec.plain import Facts

NOTE = "If the run is moved, `pdehvd report` rewrites this page with the new path."


def commands(directory: Path, summary: Facts, environment: Facts) -> str:
    """Return the command that made a run, and the one that repeats it from what it stored.

    They can be copied into a shell that stands anywhere, with any environment activated or none:
    every path is absolute, the program's too, or follows a `cd`. A config that was given in
    Python, and was never a file to keep, has the second only.
    """
    count = int(summary.get("processes") or environment.get("processes") or 1)
    given = [str(part) for part in environment.get("command", ())][1:]
    folder = Path(environment.get("folder", ""))
    plugins = [folder / value for option, value in pairwise(_words(given)) if option == "--plugin"]
    again = TrainCommand(directory.resolve() / CONFIG, count, plugins=tuple(plugins))
    words = [*program(), *again.argv()]
    lines = ["# the same run again, from its stored config", shlex.join(words)]
    if given and not any(Path(part).name.startswith(TEMPORARY) for part in given):
        verb = "resumed" if "--resume" in _words(given) else "started"
        lines = [f"# how the run was {verb}", _started(given, folder, count), "", *lines]
    return "\n".join(lines)


def _started(given: Sequence[str], folder: Path, count: int) -> str:
    """Return the command that was typed; the processes that it starts do not see its --np."""
    number = ["--np", str(count)] if count > 1 and "--np" not in _words(given) else []
    stand = f"cd {shlex.quote(str(folder))} && " if folder.is_absolute() else ""
    return stand + shlex.join([*program(), *given, *number])


def _words(command: Sequence[str]) -> list[str]:
    """Return a command with `--option=VALUE` as two words."""
    return [
        word
        for part in command
        for word in (part.split("=", 1) if part.startswith("--") else [part])
    ]
