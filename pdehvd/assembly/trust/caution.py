"""A warning: what is wrong, and the lines of YAML that fix it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from pdehvd.spec.plain import Facts

Lines = Facts
"""Sections of a config that are laid over it: `{"weighting": {...}}`."""


@dataclass(frozen=True)
class Caution:
    """A cause in one sentence, the lines that fix it, and what else may be done."""

    name: str
    cause: str
    mend: Lines = field(default_factory=dict)
    advice: str = ""

    @property
    def text(self) -> str:
        """The warning as people read it: the cause, then what to write."""
        parts = [self.cause]
        if self.mend:
            parts.append("Try " + ", and ".join(flow(self.mend)))
        if self.advice:
            parts.append(self.advice)
        return ". ".join(part.rstrip(".") for part in parts) + "."


def flow(lines: Lines) -> list[str]:
    """Return each section of the lines as one line of YAML in flow style."""
    # What lies under `problem` is written as it stands there, one entry at a time.
    entries = {**lines, **lines.get("problem", {})}
    entries.pop("problem", None)
    return [f"`{key}: {_flow(value)}`" for key, value in entries.items()]


def _flow(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=math.inf)
    return str(text).removesuffix("...\n").strip()


def laid_over(data: object, lines: object) -> object:
    """Return nested data with `lines` laid over it; mappings join, all else is replaced."""
    if not (isinstance(data, Mapping) and isinstance(lines, Mapping)):
        return lines
    joined = {key: laid_over(data.get(key), value) for key, value in lines.items()}
    return {**data, **joined}


def rounded_number(value: float, digits: int = 1) -> str:
    """Return a number rounded to so many digits, as an expression of the config may hold it."""
    rounded = round_to(value, digits)
    return f"{rounded:.0e}" if abs(rounded) >= 1e6 or 0 < abs(rounded) < 1e-3 else f"{rounded:g}"


def round_to(value: float, digits: int = 1) -> float:
    """Return a number rounded to so many digits."""
    return float(f"{value:.{digits - 1}e}")


def shift(value: float, spread: float) -> float:
    """Return a number rounded to the leading digit of a spread: 101300 of 101325 and 300."""
    return round(value, -math.floor(math.log10(spread)))
