"""Measured values of fields, from a table."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from pdehvd.errors import within
from pdehvd.numerics.derivatives import internal
from pdehvd.numerics.expressions import symbol
from pdehvd.problems.condition import ConditionSpec, Imposed, Site
from pdehvd.problems.measured import read_measured
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
        there = site.at(table.x).language
        residuals = []
        for name in table.fields:
            residual = there.residual(name, (*site.path, "fields")) - symbol(
                internal(f"measured_{name}")
            )
            if table.factors(name) is not None:
                residual = symbol(internal(f"factor_{name}")) * residual
            residuals.append(residual)
        return Imposed(table.source, residuals, [("fields",)] * len(residuals))
