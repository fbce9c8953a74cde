"""Text tables with more columns, in the dialect in which they were written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from pdehvd.problems.text_numbers import is_number
from pdehvd.problems.text_table import TextTable


def with_columns(table: TextTable, first: Sequence[str], added: Mapping[str, np.ndarray]) -> str:
    """Return a table as text with added columns [N] behind its own, whose cells stay as they are.

    Separator and decimal mark are those of the table, `first` that of its columns of these names;
    comments and blank lines are left out.
    """
    mark = table.separator
    rows = [*table.grid()]
    point = _decimal_mark(rows, [rows[0].index(name) for name in first])
    # The shortest text that gives the number again in its own precision.
    columns = [[name, *(str(x).replace(".", point) for x in v)] for name, v in added.items()]
    if len(rows) > len(columns[0]):
        columns = [[name, "", *values] for name, *values in columns]
    lines = (chain(row, more) for row, more in zip(rows, zip(*columns, strict=True), strict=True))
    return "".join(mark.join(_quoted(cell, mark) for cell in line) + "\n" for line in lines)


def _decimal_mark(rows: Sequence[Sequence[str]], places: Sequence[int]) -> str:
    """Return the first decimal mark in the columns at some places, or else in any."""
    chosen = (row[place] for row in rows[1:] for place in places)
    numbers = filter(is_number, chain(chosen, chain.from_iterable(rows[1:])))
    return next((mark for cell in numbers for mark in ",." if mark in cell), ".")


def _quoted(cell: str, separator: str) -> str:
    """Return a cell as it stands between separators."""
    special = {separator, '"', "#", "%", "/"} | ({" ", "\t"} if separator == " " else set())
    plain = not special & set(cell) and (cell or separator != " ")
    return cell if plain else '"' + cell.replace('"', '""') + '"'
