"""Findings of `pdehvd doctor`: a name, a verdict, what was found, and a remedy."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARNING, FAILED = "ok", "warning", "failed"


@dataclass(frozen=True)
class Finding:
    """One line of `pdehvd doctor`; a failure is something that runs cannot do without."""

    name: str
    status: str
    found: str
    advice: str = ""


def verdict(name: str, good: bool, found: str, advice: str, otherwise: str = FAILED) -> Finding:
    """Return a finding that is `ok` where `good`, else `otherwise` with the advice."""
    return Finding(name, OK, found) if good else Finding(name, otherwise, found, advice)
