"""Commands that a job runs, as words for this program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol


class Command(Protocol):
    """What the processes of a job run."""

    def argv(self) -> list[str]:
        """Return the words after the name of the program."""

    def resuming(self, run: Path) -> Command:
        """Return the command that continues the run in a directory."""


@dataclass(frozen=True)
class TrainCommand:
    """`train CONFIG` with its options; they mean what `pdehvd train --help` says."""

    config: Path
    np: int | None = None
    settings: tuple[str, ...] = ()
    plugins: tuple[Path, ...] = ()
    resume: Path | None = None
    output: Path | None = None
    quiet: bool = False

    def argv(self) -> list[str]:
        """Return the words after the name of the program."""
        return [
            *("train", str(self.config)),
            *([] if self.np is None else ["--np", str(self.np)]),
            *_repeated("--set", self.settings),
            *_repeated("--plugin", self.plugins),
            *([] if self.resume is None else ["--resume", str(self.resume)]),
            *([] if self.output is None else ["--output", str(self.output)]),
            *(["--quiet"] if self.quiet else []),
        ]

    def resuming(self, run: Path) -> TrainCommand:
        """Return the command that continues a run.

        The config is that of the run, with all settings in it: the file may have changed meanwhile.
        """
        return replace(self, config=run / "config.yaml", settings=(), resume=run)


@dataclass(frozen=True)
class MeasureCommand:
    """A command that measures something, from the beginning each time it is started."""

    words: tuple[str, ...]

    def argv(self) -> list[str]:
        """Return the words after the name of the program."""
        return list(self.words)

    def resuming(self, run: Path) -> MeasureCommand:
        """Return the same command."""
        return self


def _repeated(option: str, values: Iterable[object]) -> list[str]:
    return [text for value in values for text in (option, str(value))]
