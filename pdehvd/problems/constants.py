"""Constants: numbers by name, some of which differ from subdomain to subdomain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pdehvd.errors import ConfigError, unknown, within
from pdehvd.numerics.expressions import parse_number
from pdehvd.numerics.syntax import names_in
from pdehvd.problems.text import Entries


def constant_values(
    given: Mapping[str, Entries], subdomains: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return the values of constants in each subdomain, and under "" those that never differ.

    Each may use those above it; what uses one that differs, differs as well.
    Raises `ConfigError` whose path starts with `constants`.
    """
    values: dict[str, dict[str, float]] = {"": {}, **{name: {} for name in subdomains}}
    differing: set[str] = set()
    for name, entry in given.items():
        with within("constants", name):
            if isinstance(entry, Mapping):
                _check_names(entry, subdomains)
            uses = {used for used, _ in names_in(str(entry))} & differing
            if isinstance(entry, Mapping) or uses:
                differing.add(name)
            for part in values:
                if part or name not in differing:
                    text = entry[part] if isinstance(entry, Mapping) else entry
                    with within(*([part] if isinstance(entry, Mapping) else [])):
                        values[part][name] = parse_number(text, values[part])
    return values


def _check_names(entry: Mapping[str, object], subdomains: Sequence[str]) -> None:
    """Raise `ConfigError` unless a constant has a value for each subdomain."""
    if not subdomains:
        raise ConfigError("values by subdomain in a problem without subdomains", (), "a number")
    for part in entry:
        if part not in subdomains:
            raise unknown(part, "a subdomain", subdomains, (part,))
    missing = [part for part in subdomains if part not in entry]
    if missing:
        raise ConfigError(f"it has no value in {missing[0]}", (), "a value for each subdomain")
