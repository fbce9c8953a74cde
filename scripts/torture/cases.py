"""The cases of `make torture`: moment x signal x victim x launcher."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LAUNCHERS = ("pdehvd", "mpirun", "gloo")
RANKS = ("rank 0", "rank 1")
# Only rank 0 writes, so only it can die in the middle of that.
WRITING = ("write", "rename", "link", "prune", "metrics", "summary")
ANY_RANK = ("join", "start", "step", "collective", "save", "evaluation")
DAMAGE = ("torn", "bit", "zeros", "link")


@dataclass(frozen=True)
class Case:
    """Who dies, when, by what signal; what happens to the disk; whether the launcher restarts."""

    launcher: str
    victim: str
    signal: str
    moment: str
    damage: str = ""
    restarts: bool = False

    @property
    def name(self) -> str:
        parts = [self.launcher, self.victim, self.signal, self.moment, self.damage]
        parts += ["restart"] if self.restarts else []
        return " ".join(part for part in parts if part)

    def death(self, folder: Path) -> dict[str, str]:
        """Return the callback that kills, as a config names it; it leaves its mark in `folder`."""
        return {
            "name": "death",
            "victim": self.victim,
            "signal": self.signal,
            "moment": self.moment,
            "folder": str(folder),
        }


def _of(launcher: str) -> list[Case]:
    """Return the cases of a launcher."""
    cases = [Case(launcher, "rank 0", "KILL", moment) for moment in WRITING]
    cases += [Case(launcher, "rank 0", "KILL", moment) for moment in ANY_RANK]
    cases += [Case(launcher, "rank 1", "KILL", moment) for moment in ANY_RANK]
    cases += [
        Case(launcher, "launcher", "KILL", moment)
        for moment in ("start", "step", "write", "evaluation")
    ]
    cases += [Case(launcher, victim, "TERM", "step") for victim in (*RANKS, "launcher")]
    cases += [Case(launcher, victim, "STOP", "step") for victim in RANKS]
    cases += [Case(launcher, "rank 1", "SEGV", "step"), Case(launcher, "rank 0", "ABRT", "write")]
    return cases


def matrix() -> list[Case]:
    """Return all cases."""
    cases = [case for launcher in LAUNCHERS for case in _of(launcher)]
    cases += [
        Case("pdehvd", "mpirun", "KILL", moment) for moment in ("start", "step", "write", "save")
    ]
    cases += [Case("pdehvd", "rank 1", "KILL", "step", damage=damage) for damage in DAMAGE]
    cases += [Case(launcher, "rank 0", "full", "disk") for launcher in LAUNCHERS]
    cases += [
        Case("pdehvd", victim, "KILL", moment, restarts=True)
        for victim, moment in (
            ("rank 0", "join"),
            ("rank 0", "start"),
            ("rank 0", "write"),
            ("rank 1", "step"),
            ("rank 1", "collective"),
            ("mpirun", "step"),
        )
    ]
    return cases


def short() -> list[Case]:
    """Return a few cases that differ in everything."""
    return [
        Case("pdehvd", "rank 1", "KILL", "collective", restarts=True),
        Case("mpirun", "rank 0", "KILL", "rename"),
        Case("pdehvd", "launcher", "KILL", "step"),
        Case("pdehvd", "rank 0", "full", "disk"),
    ]
