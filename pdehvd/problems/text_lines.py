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
_FORMATS = {
    b"PK\x03\x04": "a ZIP archive, as .xlsx, .ods and .npz are",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\x1f\x8b": "compressed by gzip",
    b"\x89HDF": "an HDF5 file",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"%PDF": "a PDF document",
}
# Marks of direction, joints and soft hyphens: no eye sees them, and no name differs by them.
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_SPREADSHEET_ERROR = re.compile(r"#(N/A|NV|[^\W\d_]+(/0)?[!?])(?=\s*([,;|\t]|$))")
_BLANK = " \t,;|"
_BINARY = "it holds binary data; expected text"
_BETWEEN_BLANKS = re.compile(r'"((?:[^"]|"")*)"|(\S+)')


class Lines(NamedTuple):
    """The lines that hold values, their numbers, and the last comment above them with its own."""

    texts: list[str]
    numbers: list[int]
    comment: str
    comment_number: int


def decoded(data: bytes) -> str:
    """Return UTF-8, UTF-16 or UTF-32 as text, or else what Western European programs write.

    Raises `ValueError` for what is not text.
    """
    for start, what in _FORMATS.items():
        if data.startswith(start):
            raise ValueError(f"it is {what}; expected text")
    text = data.decode(_encoding(data))
    if "\0" in text:
        raise ValueError(_BINARY)
    return _INVISIBLE.sub("", text)


def _encoding(data: bytes) -> str:
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return encoding
    if b"\0" in data:
        return _wide(data)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _wide(data: bytes) -> str:
    """Return the byte order of UTF-32 or UTF-16 without a mark: plain letters leave bytes zero."""
    if not len(data) % 4:
        for offset, encoding in ((2, "utf-32-le"), (0, "utf-32-be")):
            if not any(data[offset::4]) and not any(data[offset + 1 :: 4]):
                return encoding
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        bytes_ = data[offset::2]
        if bytes_.count(0) > 0.8 * len(bytes_):
            return encoding
    raise ValueError(_BINARY)


def value_lines(text: str) -> Lines:
    """Return the lines with values, and the last comment above them (empty without one).

    A comment is what follows `#`, unless a value begins with it, or a line that begins with `%`
    or `//`.
    """
    # A spreadsheet may say in a first line how values are separated, and fill up that line.
    text = re.sub(r'\A"?sep=.?[ \t,;|"]*(?=[\r\n])', "", text, flags=re.I)
    full = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    commented = any(mark in text for mark in ("#", "%", "//"))
    bare = list(map(_without_comment, full)) if commented else full
    held = [number for number, line in enumerate(bare) if line.strip(_BLANK)]
    above = full[: held[0]] if held else []
    last = max((number for number, line in enumerate(above) if line.strip(_BLANK)), default=-1)
    comment = above[last].strip().lstrip("#%/").strip() if last >= 0 else ""
    texts, numbers = [bare[number] for number in held], [number + 1 for number in held]
    return Lines(texts, numbers, comment, last + 1)


def _without_comment(line: str) -> str:
    if line.lstrip().startswith(("%", "//")):
        return ""
    start = line.find("#")
    while start >= 0 and (line.count('"', 0, start) % 2 or _begins_value(line, start)):
        start = line.find("#", start + 1)
    return line if start < 0 else line[:start]


def _begins_value(line: str, start: int) -> bool:
    """Say whether a `#` is a colour, a name or a spreadsheet's `#DIV/0!` rather than a comment."""
    before, after = line[start - 1 : start], line[start + 1 : start + 2]
    if _SPREADSHEET_ERROR.match(line, start):
        return True
    return before != "" and before in ",;|" and not after.isspace()


def line_cells(line: str, separator: str) -> list[str]:
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
    there = [mark for mark in "\t;|," if len(line_cells(header, mark)) > 1]
    fitting = there if set(there) & set(";|,") else [*there, " "]
    for mark in fitting:
        count = len(line_cells(header, mark))
        if count > 1 and all(len(line_cells(row, mark)) == count for row in rows):
            return mark
    if there:
        return there[0]
    alone = all(len(line_cells(row, mark)) == 1 for row in rows for mark in NAMES)
    return "," if alone or len(line_cells(header, " ")) == 1 else " "
