"""What a problem of `scripts/meaning` showed."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Finding:
    """What was wrong with a problem: `residual` is the largest one of the exact solution."""

    number: int
    what: str
    accepted: bool = False
    refused: bool = False
    residual: float = 0.0
    problems: list[str] = field(default_factory=list)
