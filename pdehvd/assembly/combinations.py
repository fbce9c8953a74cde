"""What goes with what: which names of a section fit the rest of a config, and why others do not.

A name is tried as a run would try it, by building all parts on one process; nothing is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pdehvd.assembly.build import build_parts
from pdehvd.comm.group import Solo
from pdehvd.config.root import load_config
from pdehvd.errors import ConfigError, nearest
from pdehvd.spec import registered

# Of these, every name stands for a whole section.
TRIED = ("optimizer", "aggregation", "weighting")


@dataclass(frozen=True)
class Combination:
    """A name of a section, and why it does not fit; an empty reason where it does."""

    name: str
    reason: str = ""


def check_tried(section: str | None) -> str:
    """Return a section whose names can be tried. Raises `ConfigError` for others."""
    if section not in TRIED:
        message = f"the names of '{section}' cannot be tried" if section else "try which section?"
        raise ConfigError(message, (), "one of " + ", ".join(TRIED), nearest(section or "", TRIED))
    return section


def try_names(
    section: str, path: Path, settings: Sequence[str] = (), plugins: Sequence[Path] = ()
) -> list[Combination]:
    """Try every registered name of a section in place of the config's own.

    Raises `ConfigError` where the config is wrong whatever stands in this section.
    """
    load_config(path, settings, plugins)
    return [_tried(section, name, path, settings, plugins) for name in sorted(registered(section))]


def _tried(
    section: str, name: str, path: Path, settings: Sequence[str], plugins: Sequence[Path]
) -> Combination:
    try:
        config, _ = load_config(path, [*settings, f"{section}={{name: {name}}}"], plugins)
        build_parts(config, Solo())
    except ConfigError as error:
        expected = f"; expected {error.expected}" if error.expected else ""
        return Combination(name, f"{error.message}{expected}")
    return Combination(name)
