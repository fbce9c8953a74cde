"""The lines of a text file: decoded, without comments and blank lines, and cut into cells."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Sequence
from typing import NamedTuple

NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
"""What the separators of values are called; a space stands for any run of blanks."""

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_BLANK = " \t,;|"
_BETWEEN_BLANKS = re.compile(r'"((?:[^"]|"")*)"|(\S+)')


class Lines(NamedTuple):
    """The lines that hold values, their numbers in the file, and the last comment above them."""

    texts: list[str]
    numbers: list[int]
    comment: str


def decoded(data: bytes) -> str:
    """Return UTF-8, UTF-16 or UTF-32 as text, or else what Western European programs write.

    Raises `ValueError` for what is not text.
    """
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding)
    if b"\0" in data:
        return data.decode(_wide(data))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252")


def _wide(data: bytes) -> str:
    """Return the byte order of UTF-16 without a mark: plain letters have a zero byte each."""
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        bytes_ = data[offset::2]
        if bytes_.count(0) > 0.8 * len(bytes_):
            return encoding
    raise ValueError("it holds binary data; expected text")


def lines(text: str) -> Lines:
    """Return the lines with values, and the last comment above them (empty without one).

    A comment is what follows `#`, or a line that begins with `%` or `//`.
    """
    # A spreadsheet may say in a first line how values are separated.
    text = re.sub(r'\A"?sep=.?"?(?=[\r\n])', "", text, flags=re.I)
    full = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    commented = any(mark in text for mark in ("#", "%", "//"))
    bare = list(map(_without_comment, full)) if commented else full
    held = [number for number, line in enumerate(bare) if line.strip(_BLANK)]
    above = full[: held[0]] if held else []
    comments = [line.strip() for line in above if line.strip(_BLANK)]
    comment = comments[-1].lstrip("#%/").strip() if comments else ""
    return Lines([bare[number] for number in held], [number + 1 for number in held], comment)


def _without_comment(line: str) -> str:
    if line.lstrip().startswith(("%", "//")):
        return ""
    start = line.find("#")
    while start >= 0 and line.count('"', 0, start) % 2:
        start = line.find("#", start + 1)
    return line if start < 0 else line[:start]


def cells(line: str, separator: str) -> list[str]:
    """Return the values of a line, without quotes and blanks around them."""
    if '"' not in line:
        return line.split() if separator == " " else [c.strip() for c in line.split(separator)]
    if separator == " ":
        found = _BETWEEN_BLANKS.findall(line)
        return [plain or quoted.replace('""', '"').strip() for quoted, plain in found]
    reader = csv.reader([line.strip(" ")], delimiter=separator, skipinitialspace=True)
    return [cell.strip() for cell in next(reader)]


def separator_of(header: str, rows: Sequence[str]) -> str:
    """Return what separates values: that by which the header and all rows have as many.

    Without one, that of the header, which then serves to say what is wrong.
    """
    there = [mark for mark in "\t;|," if len(cells(header, mark)) > 1]
    fitting = there if set(there) & set(";|,") else [*there, " "]
    for mark in fitting:
        count = len(cells(header, mark))
        if count > 1 and all(len(cells(row, mark)) == count for row in rows):
            return mark
    if there:
        return there[0]
    alone = all(len(cells(row, mark)) == 1 for row in rows for mark in NAMES)
    return "," if alone or len(cells(header, " ")) == 1 else " "
