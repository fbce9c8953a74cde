"""Measured values of fields, from a table."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from pdehvd.errors import ConfigError, counted, within
from pdehvd.numerics.derivatives import internal
from pdehvd.numerics.expressions import symbol
from pdehvd.problems.condition import ConditionSpec, Imposed, Site
from pdehvd.problems.measured import Measured, read_measured
from pdehvd.spec import DataFile


class Data(ConditionSpec):
    """`{data: values.csv, fields: [u]}`: fields have the values of a table at its points."""

    section = "data"
    empty: ClassVar[dict[str, str]] = {
        "fields": "measured fields, or no 'fields' for all in the file"
    }

    data: DataFile = Field(
        description="a CSV, NPZ, HDF5 or NetCDF file with columns for coordinates and fields"
    )
    fields: list[str] | None = Field(
        None, description="the measured fields; those in the file by default"
    )

    deviations: str | dict[str, str] | None = Field(
        None, description="the column of standard deviations, or field: column"
    )
    missing: bool = Field(False, description="whether measured values may be missing (NaN, NA)")

    def impose(self, site: Site) -> Imposed:
        with within(*site.path):
            language = site.subdomains.language
            table = read_measured(
                *(self.data, self.fields, language.outputs, site.domain, language.depends),
                deviations=self.deviations,
                missing=self.missing,
            )
        site.notes.extend(table.notes)
        site.measured[str(site.path[-1])] = table
        there = site.subdomains.rows(table.x)
        residuals = []
        for name in table.fields:
            _check_lives(name, table, site)
            residual = there.residual(name, (*site.path, "fields")) - symbol(
                internal(f"measured_{name}")
            )
            if table.factors(name) is not None:
                residual = symbol(internal(f"factor_{name}")) * residual
            residuals.append(residual)
        return Imposed(table.source, residuals, [("fields",)] * len(residuals))


def _check_lives(name: str, table: Measured, site: Site) -> None:
    """Raise `ConfigError` at a value where its field does not live; note those on interfaces."""
    subdomains, known = site.subdomains, np.isfinite(table.values(name))
    wrong = np.flatnonzero(known & ~subdomains.lives(name, table.x))
    if wrong.size:
        place = zip(site.domain.names, table.x[wrong[0]], strict=True)
        raise ConfigError(
            f"{counted(wrong.size, 'value')} of {name} where it does not live, the first in row "
            f"{wrong[0] + 1}, at {', '.join(f'{n} = {v:g}' for n, v in place)}",
            (*site.path, "data"),
            "a table for each subdomain, or no value there and 'missing: true'",
        )
    doubled = int((known & subdomains.doubled(name, table.x)).sum())
    if doubled:
        site.notes.append(
            f"`{site.path[-1]}` has {counted(doubled, 'value')} of {name} on interfaces, taken for "
            "those of the subdomain that is listed first"
        )
