"""What a case of `scripts/fuzz` showed."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Verdict:
    """What a command did: its code, its words, how long it took, and the promises it broke."""

    kind: str
    number: int
    what: str
    code: int = 0
    err: str = ""
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def show(verdict: Verdict) -> str:
    """Return a finding in a few lines."""
    place = f"{verdict.kind} {verdict.number} ({verdict.what[:200]})"
    return f"{place}: {'; '.join(verdict.problems)}\n    code {verdict.code}: {verdict.err[:600]}"
