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
        description="a CSV, NPZ or HDF5 file with columns for coordinates and fields"
    )
    fields: list[str] | None = Field(
        None, description="the measured fields; those in the file by default"
    )

    def impose(self, site: Site) -> Imposed:
        with within(*site.path):
            language = site.language
            table = read_measured(
                *(self.data, self.fields, language.outputs, site.domain, language.depends)
            )
        site.notes.extend(table.notes)
        site.measured[str(site.path[-1])] = table
        meaning = language.meaning
        residuals = [meaning(name) - symbol(internal(f"measured_{name}")) for name in table.fields]
        return Imposed(table.source, residuals, [("fields",)] * len(residuals))
