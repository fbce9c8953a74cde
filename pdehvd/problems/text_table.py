"""Tables in text files, as spreadsheets, R, MATLAB, NumPy and instruments write them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from pdehvd.errors import ConfigError
from pdehvd.problems.text_lines import NAMES, decoded, line_cells, separator_of, value_lines
from pdehvd.problems.text_numbers import (
    BadCellError,
    is_number,
    is_units,
    parse_columns,
    shows_decimal_comma,
)

# So many rows decide by what values are separated; all of them are checked afterwards.
_SAMPLE = 100
# Every name in single quotes, for u' alone is the name of a derivative.
_SINGLY_QUOTED = re.compile(r"\s*'[^'\"]*'(\s*[,;|\t ]\s*'[^'\"]*')*\s*$")
_COMMAS = "; numbers with a decimal comma need semicolons or tabs between them"


class TextTable:
    """A header of names and rows of as many values; columns become numbers when asked for."""

    def __init__(self, file: Path, data: bytes) -> None:
        self.file = file
        self.rows, self._lines, comment, self._header = value_lines(decoded(data))
        self._units: list[str] = []
        if self.rows and _SINGLY_QUOTED.match(self.rows[0]):
            self.rows = [row.replace("'", '"') for row in self.rows]
        if self.rows:
            self._take_header(comment)
            self._take_units()
        if not self.rows:
            raise ConfigError(f"{file} holds no rows")
        # R writes the names of rows in front, under no name.
        self._skip = 1 if self._has_row_names() else 0
        self._check_counts()
        self._check_names()

    @property
    def header(self) -> str:
        """Where the names of the columns stand."""
        return f"line {self._header}"

    def numbers(self, names: Sequence[str], missing: Collection[str] = ()) -> dict[str, np.ndarray]:
        """Return columns in float64, [N] each; NaN for missing values in columns of `missing`.

        Raises `ConfigError` for what is not a number.
        """
        for name in names:
            if self.names.count(name) > 1:
                raise ConfigError(
                    f"{self.file} has {self.names.count(name)} columns '{name}'",
                    (),
                    "one of each name",
                )
        places = [self.names.index(name) + self._skip for name in names]
        if self._units and all(is_number(self._units[place]) for place in places):
            raise ConfigError(
                f"{self.file}: line {self._units_line} may hold units or values: "
                f"'{self._first_row.strip()[:60]}'",
                (),
                "units in brackets, such as [1], or no units",
            )
        fast = self._parsed_fast(places)
        if fast is not None:
            return dict(zip(names, fast, strict=True))
        table = self._cells
        try:
            columns = zip(names, places, strict=True)
            cells = {name: [row[place] for row in table] for name, place in columns}
            return parse_columns(cells, missing)
        except BadCellError as error:
            raise ConfigError(
                f"{self.file}: column '{error.column}' {error} in {self.where(error.row)}"
                f"{error.beside}",
                (),
                error.expected,
            ) from error

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the number of rows, as that of a single axis."""
        return (len(self.rows),)

    def units(self, name: str) -> str:
        """Return what the line of units says of a column, or an empty string."""
        place = self.names.index(name) + self._skip
        return self._units[place].strip("[] ") if place < len(self._units) else ""

    def where(self, row: int) -> str:
        """Return the number of a row, from 1, and that of its line."""
        return f"row {row + 1} (line {self._lines[row]})"

    def grid(self) -> Iterator[list[str]]:
        """Yield the names, then the units if there are some, then the cells of each row.

        All are of one length, without unnamed columns at the end; row names have an empty name.
        """
        width = self._skip + len(self.names) - _empty_at_end(self.names)
        yield ["", *self.names][1 - self._skip : width + 1 - self._skip]
        if self._units:
            yield self._units[:width]
        for row in self._cells:
            yield row[:width]

    def _take_header(self, comment: str) -> None:
        first, sample = self.rows[0], self.rows[1 : _SAMPLE + 1]
        self.separator = separator_of(first, sample)
        self._quoted = '"' in first
        names = line_cells(first, self.separator)
        if not all(is_number(name) for name in names if name):
            self._header = self._lines[0]
            self._drop_first()
        else:
            # The first row holds values: NumPy writes the names in a comment above it.
            names = self._names_in(comment)
            if not names or all(map(is_number, names)):
                raise ConfigError(
                    f"{self.file} has no header: its first row is '{first.strip()[:60]}'",
                    (),
                    "a first row with the names of the columns, such as x,t,u",
                )
        self.names = tuple(names)

    def _names_in(self, comment: str) -> list[str]:
        """Return as many names as the first row has values; they may be separated otherwise."""
        first, sample = self.rows[0], self.rows[: _SAMPLE + 1]
        shared = separator_of(comment, sample)
        for self.separator in (separator_of(first, sample), shared):
            count = self._count(first)
            for mark in (self.separator, *NAMES):
                names = line_cells(comment, mark)
                if len(names) == count > 1:
                    return names
        names = line_cells(comment, shared)
        return names if comment and len(names) == self._count(first) else []

    def _take_units(self) -> None:
        sample = [line_cells(row, self.separator) for row in self.rows[: _SAMPLE + 1]]
        if sample and is_units(first := sample[0], sample[1:]):
            self._units_line, self._first_row = self._lines[0], self.rows[0]
            self._units = first + [""] * (len(self.names) + 1 - len(first))
            self._drop_first()

    def _drop_first(self) -> None:
        del self.rows[0], self._lines[0]

    def _has_row_names(self) -> bool:
        """Say whether each row begins with a quoted name more than the quoted header has.

        Between commas, only a decimal point shows that no value was cut at a decimal comma.
        """
        commas = self.separator == ","
        if not self._quoted or (commas and not any("." in row for row in self.rows)):
            return False
        for row in self.rows:
            values = line_cells(row, self.separator)
            all_quoted = row.count('"') >= 2 * len(values)
            named = row.lstrip().startswith('"') and not all_quoted
            if not named or len(values) != len(self.names) + 1:
                return False
        return True

    def _count(self, text: str) -> int:
        if '"' in text or self.separator == " ":
            return len(line_cells(text, self.separator))
        return text.count(self.separator) + 1

    @cached_property
    def _counts(self) -> np.ndarray:
        """The number of values in each row [N]."""
        return np.array([self._count(row) for row in self.rows])

    def _check_counts(self) -> None:
        """Raise `ConfigError` for a row that does not fit the header.

        Empty values at the end, which spreadsheets leave there, may be more or fewer.
        """
        wanted = len(self.names) + self._skip
        least = wanted - _empty_at_end(self.names)
        for row in np.flatnonzero(self._counts != wanted):
            values = line_cells(self.rows[row], self.separator)
            if least <= len(values) and len(values) - _empty_at_end(values) <= wanted:
                continue
            raise ConfigError(
                f"{self.file}: {self.where(int(row))} has {_many(len(values), 'value')} between "
                f"{NAMES[self.separator]}, the header in {self.header} has "
                f"{_many(len(self.names), 'name')}",
                (),
                "a value for each name" + (_COMMAS if self.separator == "," else ""),
            )

    def _check_names(self) -> None:
        """Raise `ConfigError` for a value under an empty name, but that of a first column."""
        unnamed = [place for place, name in enumerate(self.names) if place and not name]
        if not unnamed:
            return
        for row, values in enumerate(self._cells):
            for place in unnamed:
                if value := values[place + self._skip]:
                    raise ConfigError(
                        f"{self.file}: {self.where(row)} has the value '{value[:40]}' under an "
                        f"empty name; {self.header} was taken for the names",
                        (),
                        "a first row with a name for each column"
                        + (_COMMAS if self.separator == "," else ""),
                    )

    @cached_property
    def _cells(self) -> list[list[str]]:
        """The values of each row, filled up with empty ones."""
        table = [line_cells(row, self.separator) for row in self.rows]
        wanted = len(self.names) + self._skip
        return [row + [""] * (wanted - len(row)) for row in table]

    def _parsed_fast(self, places: Sequence[int]) -> list[np.ndarray] | None:
        """Return columns of plain numbers by NumPy's parser, or None where there is more to it."""
        text, rows = "\n".join(self.rows), self.rows
        if np.ptp(self._counts):
            return None
        if '"' in text:
            # Quotes that hold no separator and no other quote may go.
            between = text.count(self.separator) == (self._counts - 1).sum()
            if self.separator == " " or not between or '""' in text:
                return None
            text = text.replace('"', "")
            rows = text.split("\n")
        if self.separator != "," and "," in text:
            sample = [line_cells(row, self.separator) for row in rows[:_SAMPLE]]
            shown = any(shows_decimal_comma(row[place]) for row in sample for place in places)
            if "." in text or not shown:
                return None
            rows = text.replace(",", ".").split("\n")
        mark = None if self.separator == " " else self.separator
        try:
            found = np.loadtxt(rows, delimiter=mark, usecols=places, comments=None, ndmin=2)
        except ValueError:
            return None
        return list(np.ascontiguousarray(found.T))


def _empty_at_end(values: Sequence[str]) -> int:
    return next((i for i, value in enumerate(reversed(values)) if value), len(values))


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
