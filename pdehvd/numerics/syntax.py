"""From text to a Python syntax tree: lexical checks, columns and errors."""

from __future__ import annotations

import ast
import keyword
import re
import unicodedata
import warnings
from typing import NoReturn

from pdehvd.errors import ConfigError, Path

MAX_LENGTH = 2000
SHORT = 100  # longer texts are shown without a caret line

_NAME = re.compile(r"[^\W\d]\w*")
_RESERVED = frozenset(keyword.kwlist) - {"and", "or", "not", "True", "False", "None"}
_FORBIDDEN = {
    "'": "quoted text",
    '"': "quoted text",
    "#": "a comment",
    "\\": "a backslash",
    "\0": "a control character",
}

_DECIMAL_COMMA = re.compile(r"(?<![\w.])\d+,\d+(?![\w.])")
_WORDS: dict[type, str] = {
    ast.Attribute: "attribute access",
    ast.Subscript: "subscripts",
    ast.Lambda: "functions without a name",
    ast.IfExp: "if/else, which is written where(condition, a, b)",
    ast.List: "lists",
    ast.Tuple: "lists",
    ast.Dict: "braces",
    ast.Set: "braces",
    ast.NamedExpr: "assignment",
    ast.Starred: "unpacking",
    ast.FloorDiv: "the operator //",
    ast.Mod: "the operator %",
    ast.MatMult: "the operator @",
    ast.BitAnd: "the operator &, which is written 'and'",
    ast.BitOr: "the operator |, which is written 'or'",
    ast.Invert: "the operator ~",
    ast.LShift: "the operator <<",
    ast.RShift: "the operator >>",
}


class ExpressionError(ConfigError):
    """A text that is not a valid expression; `column` (from 1) points into `text` where known."""

    def __init__(
        self,
        message: str,
        path: Path = (),
        expected: str = "",
        nearest: str = "",
        column: int | None = None,
        text: str = "",
    ) -> None:
        super().__init__(message, path, expected, nearest)
        self.column = column
        self.text = text

    def within(self, *prefix: str | int) -> ExpressionError:
        """Return the same error with `prefix` in front of its path."""
        path = (*prefix, *self.path)
        return ExpressionError(
            self.message, path, self.expected, self.nearest, self.column, self.text
        )

    def of(self, text: str) -> ExpressionError:
        """Return the same error for a `text` of which what was read is a part, in place.

        Arguments:
            text: what the column points into
        """
        return ExpressionError(
            self.message, self.path, self.expected, self.nearest, self.column, text
        )

    def __str__(self) -> str:
        text = super().__str__()
        if self.column is not None and 0 < len(self.text) <= SHORT:
            line = "".join(" " if c.isspace() else c for c in self.text)
            text += f"\n  {line}\n  {' ' * (self.column - 1)}^"
        return text


def names_in(text: str) -> list[tuple[str, int]]:
    """Return the names in a text, as Python would read them (NFKC), with their positions."""
    found = _NAME.finditer(text)
    return [(unicodedata.normalize("NFKC", match.group()), match.start()) for match in found]


def identifier(name: str) -> str:
    """Return a name as it appears in a syntax tree (Python normalises identifiers to NFKC)."""
    return unicodedata.normalize("NFKC", name)


def is_reserved(name: str) -> bool:
    """Return whether Python keeps this word for itself, so that no symbol can bear it."""
    return keyword.iskeyword(name)


class ExpressionText:
    """A text being read: its syntax tree and the way back from tree nodes to columns."""

    def __init__(self, text: str, what: str) -> None:
        self.text = text
        self.what = what
        self._refuse_early()
        self._code, self._origin = self._translated()
        self.tree = self._parsed()

    def fail(
        self, message: str, node: ast.AST | int | None, expected: str = "", nearest: str = ""
    ) -> NoReturn:
        """Raise an ExpressionError at a tree node or at a position of the text."""
        position = self._position(node) if isinstance(node, ast.AST) else node
        column = None if position is None else position + 1
        where = self.what if column is None else f"{self.what}, column {column}"
        raise ExpressionError(f"{message} ({where})", (), expected, nearest, column, self.text)

    def refuse(self, node: ast.AST, at: ast.AST | None = None) -> NoReturn:
        """Raise the error for a node that no expression may contain."""
        word = _WORDS.get(type(node), type(node).__name__)
        comma = _DECIMAL_COMMA.search(self.text) if word == "lists" else None
        expected = f"a decimal point: {comma[0].replace(',', '.')}" if comma else ""
        self.fail(f"not allowed in an expression: {word}", at or node, expected)

    def _position(self, node: ast.AST) -> int:
        start = getattr(node, "col_offset", 0)
        index = len(self._code.encode()[:start].decode(errors="ignore"))
        return self._origin[min(index, len(self._origin) - 1)]

    def _refuse_early(self) -> None:
        if not self.text.strip():
            self.fail("the text is empty", None)
        if len(self.text) > MAX_LENGTH:
            self.fail(f"longer than {MAX_LENGTH} characters", None)
        for position, character in enumerate(self.text):
            if character in _FORBIDDEN:
                self.fail(f"not allowed in an expression: {_FORBIDDEN[character]}", position)
            if 0xD800 <= ord(character) <= 0xDFFF:
                self.fail("not allowed in an expression: half a character", position)
        for name, position in names_in(self.text):
            if name in _RESERVED:
                message = f"'{name}' is a reserved word and cannot be a name"
                self.fail(message, position, f"another name, such as '{name}_'")

    def _translated(self) -> tuple[str, list[int]]:
        """Turn `^` into a power and a single `=` into an equality; keep where each came from."""
        text = self.text
        code: list[str] = []
        origin: list[int] = []
        for position, character in enumerate(text):
            piece = " " if character.isspace() else character
            if not code and piece == " ":
                continue
            alone = text[position - 1 : position] not in ("<", ">", "=", "!", ":")
            if character == "^":
                piece = "**"
            elif character == "=" and alone and text[position + 1 : position + 2] != "=":
                piece = "=="
            code.append(piece)
            origin.extend([position] * len(piece))
        return "".join(code), origin

    def _parsed(self) -> ast.expr:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python remarks on "1or x", which is refused later
                return ast.parse(self._code, mode="eval").body
        except SyntaxError as error:
            last = len(self._origin) - 1
            index = min(error.offset - 1, last) if error.offset else last
            expected = ""
            if re.search(r"[\d)]\s*[^\W\d]|\)\s*\(|\w\s+\w", self.text):
                expected = "products written with *"
            self.fail(f"cannot be read: {error.msg}", self._origin[index], expected)
        except (ValueError, RecursionError, MemoryError):
            self.fail("cannot be read: nested too deeply or malformed", None)
