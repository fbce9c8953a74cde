"""Numbers as people and programs write them: decimal points or commas, never both."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

_PLAIN = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eEdD][-+]?\d+)?|[-+]?(nan|inf|infinity)", re.I)
_DOUBTFUL = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")
_MISSING = {"", "na", "n/a", "#n/a", "nan", "null", "none", "-", "--", "?", "missing"}
_UNIT = (
    r"(?:[-%‰]|deg(?:rees?)?|rad|days?|hours?|years?|yr|min|sec(?:onds?)?|mol|bar|atm|psi|ppm|"
    r"[numµμckMG]?(?:m|s|g|K|N|J|W|V|A|C|F|Hz|Pa|T|L|l|Ω|Ohm|eV|mol|bar)|°[CF]?|h|d|a|in|ft|lb|1)"
)
_POWER = r"(?:\^?\(?[-+−]?\d\)?|[²³⁻¹]+|\*\*[-+]?\d)?"
_BARE = re.compile(rf"{_UNIT}{_POWER}(?:[ */·.]{_UNIT}{_POWER})*")
_BRACKETS = re.compile(r"\[[^\]]*\]|\([^)]*\)|\{[^}]*\}|<[^>]*>")


class BadCellError(ValueError):
    """A cell that is not a number: its column, its row from 0, and what was expected."""

    def __init__(self, message: str, column: str, row: int, expected: str = "a number") -> None:
        super().__init__(message)
        self.column, self.row, self.expected = column, row, expected


class _Place(NamedTuple):
    column: str
    row: int
    cell: str


def is_number(cell: str) -> bool:
    """Say whether a cell is a number, with a decimal point or a comma."""
    return _PLAIN.fullmatch(cell.replace(",", ".", 1)) is not None


def shows_decimal_comma(cell: str) -> bool:
    """Say whether the comma in a cell is a decimal one, and cannot stand between thousands."""
    return "," in cell and is_number(cell) and not _may_be_thousands(cell)


def is_units(row: Sequence[str]) -> bool:
    """Say whether a row holds units, such as `[s]` or `m/s`, and nothing else."""
    found = [cell for cell in row if cell]
    units = [_BRACKETS.fullmatch(cell) or _BARE.fullmatch(cell) for cell in found]
    return bool(found) and all(units) and any(not is_number(c) and c != "-" for c in found)


def numbers(columns: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    """Return cells as float64, [N] each. Raises `BadCellError` for the first other cell."""
    point = _decimal_point(columns)
    return {name: _column(name, cells, point) for name, cells in columns.items()}


def _column(name: str, cells: Sequence[str], point: str) -> np.ndarray:
    result = np.empty(len(cells))
    for row, cell in enumerate(cells):
        text = cell.replace(point, ".")
        if _PLAIN.fullmatch(text) is None:
            missing = cell.lower() in _MISSING
            shown = f"'{cell[:40]}'" if cell else "nothing"
            raise BadCellError(
                f"holds {shown}",
                name,
                row,
                "a number in every row" if missing else "a plain number such as 1234.5",
            )
        result[row] = float(text.lower().replace("d", "e"))
    return result


def _decimal_point(columns: Mapping[str, Sequence[str]]) -> str:
    """Return the decimal mark of the cells. Raises `BadCellError` where there is doubt."""
    comma = _first(columns, ",")
    if comma is None:
        return "."
    point = _first(columns, ".")
    if point is not None:
        other = "" if point == comma else f", and '{point.column}' holds '{point.cell[:40]}'"
        raise BadCellError(
            f"holds '{comma.cell[:40]}'{other},",
            comma.column,
            comma.row,
            "one decimal mark in all columns, and nothing between thousands",
        )
    every = [cell for cells in columns.values() for cell in cells]
    if all(_may_be_thousands(cell) for cell in every):
        text = comma.cell[:40]
        raise BadCellError(
            f"holds '{text}', which may be {text.replace(',', '.')} or {text.replace(',', '')},",
            comma.column,
            comma.row,
            "decimal points, and nothing between thousands",
        )
    return ","


def _may_be_thousands(cell: str) -> bool:
    """Say whether a cell could belong to a table whose commas stand between thousands."""
    return _DOUBTFUL.fullmatch(cell) is not None or re.fullmatch(r"[-+]?\d{1,3}", cell) is not None


def _first(columns: Mapping[str, Sequence[str]], mark: str) -> _Place | None:
    """Return the first cell that is a number with `mark` in it."""
    for name, cells in columns.items():
        for row, cell in enumerate(cells):
            if mark in cell and cell[:1] in "+-.,0123456789":
                return _Place(name, row, cell)
    return None
