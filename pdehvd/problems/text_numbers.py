"""Numbers as people and programs write them: decimal points or commas, never both."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
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
    """A cell that is not a number: its column, its row from 0, what was expected, what else."""

    def __init__(
        self, message: str, column: str, row: int, expected: str = "a number", beside: str = ""
    ) -> None:
        super().__init__(message)
        self.column, self.row, self.expected, self.beside = column, row, expected, beside


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


def is_units(row: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Say whether a row holds units, such as `[s]` or `m/s`, of the rows below it.

    Letters above letters are values: `1,5,m` above `2,7,f`.
    """
    found = [cell for cell in row if cell]
    units = [_BRACKETS.fullmatch(cell) or _BARE.fullmatch(cell) for cell in found]
    if not found or not all(units):
        return False
    if not below:
        return not any(map(is_number, found))
    letters = [i for i, cell in enumerate(row) if cell not in ("", "-") and not is_number(cell)]
    return any(i < len(other) and is_number(other[i]) for other in below for i in letters)


def parse_columns(
    columns: Mapping[str, Sequence[str]], missing: Collection[str] = ()
) -> dict[str, np.ndarray]:
    """Return cells as float64, [N] each; in the columns of `missing`, NaN for cells without value.

    Raises `BadCellError` for the first other cell.
    """
    point = _decimal_point(columns)
    return {name: _column(name, cells, point, name in missing) for name, cells in columns.items()}


def _column(name: str, cells: Sequence[str], point: str, missing_allowed: bool) -> np.ndarray:
    result = np.empty(len(cells))
    for row, cell in enumerate(cells):
        if missing_allowed and cell.lower() in _MISSING:
            result[row] = np.nan
            continue
        text = cell.replace(point, ".")
        if _PLAIN.fullmatch(text) is None:
            missing = cell.lower() in _MISSING or cell.startswith("#")
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
    commas, points = _with(columns, ","), _with(columns, ".")
    if not commas:
        return "."
    if points:
        raise _two_marks(commas, points)
    doubtful = [place for place in commas if _may_be_thousands(place.cell)]
    if doubtful and not any(shows_decimal_comma(place.cell) for place in commas):
        text = doubtful[0].cell
        raise BadCellError(
            f"holds '{text}', which may be {text.replace(',', '.')} or {text.replace(',', '')},",
            doubtful[0].column,
            doubtful[0].row,
            "decimal points, and nothing between thousands",
        )
    return ","


def _two_marks(commas: Sequence[_Place], points: Sequence[_Place]) -> BadCellError:
    """Return the error for the first cell that holds both marks, or the one that fewer hold."""
    both = [place for place in commas if "." in place.cell]
    fewer, more = sorted((commas, points), key=len)
    odd, other = (both or fewer)[0], more[0]
    return BadCellError(
        f"holds '{odd.cell[:40]}'",
        odd.column,
        odd.row,
        "one decimal mark in all columns, and nothing between thousands",
        "" if both else f", and '{other.column}' holds '{other.cell[:40]}'",
    )


def _may_be_thousands(cell: str) -> bool:
    """Say whether a comma in a cell could stand between thousands."""
    return _DOUBTFUL.fullmatch(cell) is not None


def _with(columns: Mapping[str, Sequence[str]], mark: str) -> list[_Place]:
    """Return the cells that are numbers with `mark` in them."""
    return [
        _Place(name, row, cell)
        for name, cells in columns.items()
        for row, cell in enumerate(cells)
        if mark in cell and cell[:1] in "+-.,0123456789"
    ]
