"""Conditions at the points of a table of measured values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from pdehvd.errors import ConfigError, counted, nearest, within
from pdehvd.numerics.derivatives import internal
from pdehvd.problems.data import Table, open_table
from pdehvd.problems.geometry import Domain
from pdehvd.problems.rounding import Fitted, fit_into_domain
from pdehvd.problems.sources import GivenSource


@dataclass(frozen=True)
class Measured:
    """Points with columns `__measured_FIELD`, the fields, and what a user must know of them."""

    source: GivenSource
    fields: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def x(self) -> np.ndarray:
        """Where it was measured, [N, D]."""
        return self.source.x

    def values(self, field: str) -> np.ndarray:
        """Return what was measured of a field, [N]."""
        return self.source.columns[internal(f"measured_{field}")]


def read_measured(
    file: str,
    wanted: Sequence[str] | None,
    fields: Sequence[str],
    domain: Domain,
    arguments: Callable[[str], Collection[str]],
) -> Measured:
    """Return the values of a file for the `wanted` fields, by default all that it has.

    A coordinate on which none of them depends, as `arguments` says, may be missing: it is in the
    middle of its bounds.
    Points outside the domain by the rounding of their numbers are moved onto it.
    Raises `ConfigError` at `data` or `fields`.
    """
    for i, field in enumerate(wanted or ()):
        if field not in fields:
            raise ConfigError(
                f"'{field}' is not a field",
                ("fields", i),
                "one of " + ", ".join(fields),
                nearest(field, fields),
            )
    with within("data"):
        table = open_table(file)
        measured = tuple(wanted or _held(table, fields, domain.names))
        needed = {name for field in measured for name in arguments(field)}
        given = [name for name in domain.names if name in needed or name in table.names]
        columns = table.rows([*given, *measured])
        x = np.repeat(domain.bounds.mean(axis=1)[None], len(columns[measured[0]]), axis=0)
        for name in given:
            x[:, domain.names.index(name)] = columns[name]
        points = fit_into_domain(domain, x)
        _check_inside(table, points)
    source = GivenSource(
        points.x, {internal(f"measured_{field}"): columns[field] for field in measured}
    )
    return Measured(source, measured, _notes(table, points))


def _held(table: Table, fields: Sequence[str], coordinates: Sequence[str]) -> list[str]:
    held = [field for field in fields if field in table.names]
    if not held:
        raise ConfigError(
            f"{table.file} has no column of a field, but {table.held}",
            (),
            "one of " + ", ".join(fields) + table.renaming([*coordinates, *fields]),
        )
    return held


def _check_inside(table: Table, points: Fitted) -> None:
    outside = np.flatnonzero(points.outside)
    if not outside.size:
        return
    row = int(points.outside.argmax())
    where, distance = table.where(row), f"{points.outside[row]:.3g}"
    if outside.size == 1:
        raise ConfigError(f"{table.file}: {where} lies outside the domain, by {distance}")
    raise ConfigError(
        f"{table.file}: {outside.size} of {len(points.x)} rows lie outside the domain, "
        f"the farthest is {where}, by {distance}"
    )


def _notes(table: Table, points: Fitted) -> tuple[str, ...]:
    count = int(np.count_nonzero(points.moved))
    if not count:
        return ()
    moved = "was moved onto it, by" if count == 1 else "were moved onto it, by at most"
    return (
        f"{table.file.name}: {counted(count, 'point')} outside the domain by rounding {moved} "
        f"{points.moved.max():.2g}",
    )
