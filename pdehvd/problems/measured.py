"""Conditions at the points of a table of measured values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pdehvd.errors import ConfigError, counted, unknown, within
from pdehvd.numerics.derivatives import internal
from pdehvd.problems.data import Table, open_table
from pdehvd.problems.geometry import Domain
from pdehvd.problems.rounding import Fitted, fit_into_domain
from pdehvd.problems.sources import GivenSource


@dataclass(frozen=True)
class Measured:
    """Points with columns `__measured_FIELD`, the fields, and what a user must know of them.

    Where rows do not count alike, the columns `__factor_FIELD` hold what residuals are multiplied
    by: 0 for a missing value, else sqrt(w) with the mean of all w at 1.
    """

    source: GivenSource
    fields: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def x(self) -> np.ndarray:
        """Where it was measured, [N, D]."""
        return self.source.x

    def values(self, field: str) -> np.ndarray:
        """Return what was measured of a field, [N]; NaN for missing values."""
        values = self.source.columns[internal(f"measured_{field}")]
        factors = self.factors(field)
        return values if factors is None else np.where(factors > 0, values, np.nan)

    def factors(self, field: str) -> np.ndarray | None:
        """Return what residuals of a field are multiplied by, [N]; None where all count alike."""
        return self.source.columns.get(internal(f"factor_{field}"))


def read_measured(
    file: str,
    wanted: Sequence[str] | None,
    fields: Sequence[str],
    domain: Domain,
    arguments: Callable[[str], Collection[str]],
    deviations: Mapping[str, str] | str | None = None,
    missing: bool = False,
) -> Measured:
    """Return the values of a file for the `wanted` fields, by default all that it has.

    `deviations` are the columns of their standard deviations; with `missing`, values may be NaN.
    A coordinate on which none of them depends, as `arguments` says, may be missing: it is in the
    middle of its bounds.
    Points outside the domain by the rounding of their numbers are moved onto it.
    Raises `ConfigError` at `data`, `fields` or `deviations`.
    """
    for i, field in enumerate(wanted or ()):
        if field not in fields:
            raise unknown(field, "a field", fields, ("fields", i))
    with within("data"):
        table = open_table(file)
        measured = tuple(wanted or _held(table, fields, domain.names))
        needed = {name for field in measured for name in arguments(field)}
        given = [name for name in domain.names if name in needed or name in table.names]
        columns = table.rows([*given, *measured], measured if missing else ())
        x = np.repeat(domain.bounds.mean(axis=1)[None], len(columns[measured[0]]), axis=0)
        for name in given:
            x[:, domain.names.index(name)] = columns[name]
        points = fit_into_domain(domain, x)
        _check_inside(table, points)
    spread = _deviations(table, measured, deviations)
    held: dict[str, np.ndarray] = {}
    notes = [*_units(table, [*given, *measured]), *_notes(table, points)]
    for field in measured:
        known = ~np.isnan(columns[field])
        if not known.any():
            raise ConfigError(f"{table.file}: all values of {field} are missing", ("data",))
        held[internal(f"measured_{field}")] = np.where(known, columns[field], 0.0)
        if not known.all() or field in spread:
            held[internal(f"factor_{field}")] = _factors(known, spread.get(field))
        if not known.all():
            count = int((~known).sum())
            notes.append(
                f"{table.file.name}: {count} of {len(known)} values of {field} are missing"
            )
    return Measured(GivenSource(points.x, held), measured, tuple(notes))


def _factors(known: np.ndarray, deviation: np.ndarray | None) -> np.ndarray:
    """Return sqrt(w) of each row, w ~ 1/deviation^2 where a value is known, with mean(w) = 1."""
    # Relative to the smallest, so that no square overflows.
    relative = 1.0 if deviation is None else deviation.min() / deviation
    weights = np.where(known, relative, 0.0) ** 2
    factors: np.ndarray = np.sqrt(weights / weights.mean())
    return factors


def _deviations(
    table: Table, measured: Sequence[str], given: Mapping[str, str] | str | None
) -> dict[str, np.ndarray]:
    """Return the standard deviations of fields, [N] each. Raises `ConfigError` at `deviations`."""
    named = dict.fromkeys(measured, given) if isinstance(given, str) else dict(given or {})
    result = {}
    for field, column in named.items():
        with within("deviations", *(() if isinstance(given, str) else (field,))):
            if field not in measured:
                raise unknown(field, "measured here", measured)
            result[field] = table.rows([column])[column]
            low = np.flatnonzero(~(result[field] > 0))
            if low.size:
                raise ConfigError(
                    f"{table.file}: the deviation '{column}' is {result[field][low[0]]:g} in "
                    f"{table.where(int(low[0]))}",
                    (),
                    "numbers above 0",
                )
    return result


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


def _units(table: Table, names: Sequence[str]) -> list[str]:
    """Return in one sentence which units a file gives."""
    listed = [f"{name} in {table.units(name)}" for name in names if table.units(name)]
    if not listed:
        return []
    return [f"{table.file.name}: {', '.join(listed)}; the numbers are used as they are"]


def _notes(table: Table, points: Fitted) -> tuple[str, ...]:
    count = int(np.count_nonzero(points.moved))
    if not count:
        return ()
    moved = "was moved onto it, by" if count == 1 else "were moved onto it, by at most"
    return (
        f"{table.file.name}: {counted(count, 'point')} outside the domain by rounding {moved} "
        f"{points.moved.max():.2g}",
    )
