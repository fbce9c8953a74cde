"""What is wrong with a text that YAML cannot read, or misreads."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import yaml

from pdehvd.config.yaml_flow import QUOTE
from pdehvd.errors import counted

_OPENERS = {"}": "{", "]": "["}


class Fault(NamedTuple):
    """A message and the line it belongs to, counted from 0."""

    message: str
    line: int


class _Context(NamedTuple):
    """The lines of the text, and what the parser said about which place."""

    lines: list[str]
    problem: str
    line: int
    column: int
    began: int
    before: int

    @property
    def text(self) -> str:
        """The line of the fault."""
        return self.lines[self.line] if self.line < len(self.lines) else ""

    @property
    def rest(self) -> str:
        """What follows the place of the fault in its line."""
        return self.text[self.column :]


def explain_yaml_error(text: str, error: yaml.MarkedYAMLError) -> Fault:
    """Return what a person did, in place of what the parser expected."""
    mark = error.problem_mark or error.context_mark
    begin = error.context_mark or mark
    if mark is None or begin is None:
        return Fault(f"not valid YAML: {error.problem or error.context}", 0)
    lines = re.split("\r\n|[\r\n\x85\u2028\u2029]", text)
    problem = " ".join(part for part in (error.context, error.problem) if part)
    context = _Context(lines, problem, mark.line, mark.column, begin.line, begin.column)
    for explanation in _EXPLANATIONS:
        found = explanation(context)
        if found is not None:
            return found
    return Fault(f"not valid YAML: {error.problem or error.context}", mark.line)


def _no_break_space(context: _Context) -> Fault | None:
    for line in range(context.began, context.line + 1):
        if line < len(context.lines) and "\u00a0" in context.lines[line]:
            return Fault("this line holds a no-break space; expected plain spaces", line)
    return None


def _tab(context: _Context) -> Fault | None:
    if "'\\t'" not in context.problem and not context.rest.startswith("\t"):
        return None
    if context.text[: context.column].strip():
        return Fault("a tab stands in front of a value; use spaces", context.line)
    return Fault("the indentation of this line holds a tab; use spaces", context.line)


def _bracket(context: _Context) -> Fault | None:
    """Explain what happens inside { } and [ ]."""
    expected = re.search(r"expected ',' or '([\]}])'", context.problem)
    if expected is None:
        return None
    closer, found = expected[1], context.rest[:1]
    opener, opened = _OPENERS[closer], context.began + 1
    before = context.text[: context.column]
    if not "".join(context.lines[context.line :])[context.column :].strip("\0 "):
        return Fault(f"the '{opener}' of line {opened} is not closed", context.began)
    if context.line > context.began and (not before.strip() or ":" in context.rest):
        message = f"the '{opener}' of line {opened} is not closed"
        return Fault(
            f"{message}, or a comma is missing above line {context.line + 1}", context.began
        )
    if found == ":":
        return _two_colons(context)
    if found in _OPENERS:
        message = f"'{found}' stands where '{closer}' must close the '{opener}' of line {opened}"
        return Fault(message, context.line)
    if before.count("(") > before.count(")"):
        return Fault(f"an expression is cut at a comma or bracket; {QUOTE}", context.line)
    return Fault(f"a comma or a '{closer}' is missing in front of '{context.rest}'", context.line)


def _after_quotes(context: _Context) -> Fault | None:
    """Explain text behind a closing quotation mark, as in 'it's'."""
    before = context.text[: context.column]
    # In { } and [ ] a comma may be missing instead, unless the text touches the mark.
    if "got '<scalar>'" not in context.problem:
        before = before.rstrip()
        if "found '<scalar>'" not in context.problem:
            return None
    if before[-1:] not in ("'", '"'):
        return None
    message = f"text follows the closing quotation mark {before[-1]}"
    inside = "write '' for a ' inside single quotes, or use double quotes"
    other = "quote the whole value, or use single quotes outside"
    return Fault(f"{message}; {inside if before[-1] == chr(39) else other}", context.line)


def _no_value(context: _Context) -> Fault | None:
    """Explain a bracket that the end of the file leaves open, and a comma without a value."""
    found = re.search(r"expected the node content, but found '(.*)'", context.problem)
    if found is None:
        return None
    if found[1] == "<stream end>":
        opener, line = _open_bracket(context.lines)
        return Fault(f"the '{opener}' of line {line + 1} is not closed", line) if opener else None
    return Fault(f"'{found[1]}' stands where a value is expected", context.line)


def _open_bracket(lines: list[str]) -> tuple[str, int]:
    """Return the last bracket that nothing closes, and its line; quoted text does not count."""
    opened: list[tuple[str, int]] = []
    for number, line in enumerate(lines):
        for token in re.finditer(r"'[^']*'|\"[^\"]*\"|\s#.*|[\[{\]}]", line):
            if token[0] in ("[", "{"):
                opened.append((token[0], number))
            elif token[0] in _OPENERS and opened:
                opened.pop()
    return opened[-1] if opened else ("", 0)


def _two_colons(context: _Context) -> Fault:
    message = "a second ':' in one value; a region is written with =, as in t = 0"
    return Fault(f"{message}; quote a text that holds ': '", context.line)


def _colon(context: _Context) -> Fault | None:
    if "mapping values are not allowed here" not in context.problem:
        return None
    before = context.text[: context.column]
    if ": " in before or (before.lstrip().startswith("- ") and ":" in before):
        return _two_colons(context)
    above = next((n for n in range(context.line - 1, -1, -1) if context.lines[n].strip()), 0)
    if not re.search(r":(\s|$)", context.lines[above]) and _indentation(context.text) in _levels(
        context
    ):
        return _keyless(context.lines[above], above)
    return _indented(context)


def _block(context: _Context) -> Fault | None:
    """Explain a line that fits none of the levels above it."""
    if "expected <block end>, but found" not in context.problem:
        return None
    if context.rest[:1] in ("}", "]"):
        return Fault(f"'{context.rest[0]}' closes nothing", context.line)
    return _indented(context)


def _indented(context: _Context) -> Fault:
    start = re.split(r"(?<=:)\s", context.text.strip())[0][:40]
    own, levels = _indentation(context.text), _levels(context)
    if own in levels:
        message = f"'{start}' does not fit the lines above it"
        return Fault(f"{message}; indent it further to continue the value above", context.line)
    message = f"wrong indentation: {counted(own, 'space')} in front of '{start}'"
    return Fault(f"{message}; expected {' or '.join(map(str, levels))}, as above", context.line)


def _levels(context: _Context) -> list[int]:
    """Return the indentations that the lines above have opened, outermost first."""
    levels: list[int] = []
    for line in reversed(context.lines[: context.line]):
        if line.strip() and not line.lstrip().startswith("#"):
            own = _indentation(line)
            if not levels or own < levels[0]:
                levels.insert(0, own)
    return levels


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _no_colon(context: _Context) -> Fault | None:
    if "could not find expected ':'" not in context.problem:
        return None
    return _keyless(context.lines[context.began], context.began)


def _keyless(text: str, line: int) -> Fault:
    message = f"the line '{text.strip()[:60]}' is not a key with a value"
    return Fault(f"{message}; expected 'key: value', with a space after the colon", line)


def _open_quote(context: _Context) -> Fault | None:
    if "quoted scalar" not in context.problem or "unexpected end" not in context.problem:
        return None
    quote = context.lines[context.began][context.before : context.before + 1]
    return Fault(f"the quotation mark {quote} is not closed", context.began)


def _special(context: _Context) -> Fault | None:
    """Explain a value that begins with a sign which means something in YAML."""
    value = re.search(r"^\s*(?:- )?[^:{\[]*:\s+([*&!%@`|>]|-(?=\s))", context.text)
    inner = re.search(r"[:,{\[]\s*([*&!%@`|>])[^,}\]]*", context.text)
    sign = value or inner
    if sign is None:
        return None
    if sign[1] == "-":
        message = "'- ' begins a list, whose items stand on lines of their own or in [ ]"
        return Fault(f"{message}; quote an expression that begins with a minus", context.line)
    return Fault(f"a value that begins with {sign[1]} must be quoted", context.line)


def _escape(context: _Context) -> Fault | None:
    if "escape" not in context.problem:
        return None
    message = "a backslash inside double quotes begins a special character"
    return Fault(f"{message}; use single quotes", context.line)


def _document(context: _Context) -> Fault | None:
    if "another document" in context.problem:
        return Fault("'---' begins a second document; expected one config in a file", context.line)
    if "expected '<document start>'" not in context.problem:
        return None
    above = [line.rstrip() for line in context.lines[: context.line]]
    if "..." in above:
        return Fault("'...' ends the config; expected nothing after it", context.line)
    for number, line in enumerate(above):
        if line.startswith("%"):
            message = f"the line '{line[:40]}' is a directive of YAML; expected 'key: value'"
            return Fault(f"{message}, and for an expression that begins with % quotes", number)
    return Fault("this line follows the end of the config; expected nothing after it", context.line)


_EXPLANATIONS: tuple[Callable[[_Context], Fault | None], ...] = (
    _no_break_space,
    _tab,
    _escape,
    _document,
    _open_quote,
    _no_value,
    _after_quotes,
    _bracket,
    _no_colon,
    _colon,
    _block,
    _special,
)
