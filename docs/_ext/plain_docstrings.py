"""Docstrings are plain text with `code` in backquotes; Sphinx gets them as reStructuredText."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_CODE = re.compile(r"(`[^`\n]+`)")
_SPECIAL = re.compile(r"([\\*|_<>])")


def escaped(line: str) -> str:
    """Return a line of plain text as reStructuredText: `x` is code, and nothing else is markup."""
    parts = _CODE.split(line)
    return "".join(
        f"`{part}`" if index % 2 else _SPECIAL.sub(r"\\\1", part.replace("`", "'"))
        for index, part in enumerate(parts)
    )


def rendered(lines: Iterable[str]) -> list[str]:
    """Return a docstring as reStructuredText: examples stay, and arguments become a list."""
    result: list[str] = []
    example = False
    margin: int | None = None
    for line in lines:
        text = line.strip()
        depth = len(line) - len(line.lstrip())
        example = bool(text) and (example or text.startswith(">>>"))
        if text == "Arguments:":
            margin = depth
            result += ["**Arguments**", ""]
        elif example or not text:
            margin = None if not text else margin
            result.append(text if not example else line)
        elif margin is not None:
            name, colon, meaning = text.partition(": ")
            first = bool(colon) and depth == margin + 4
            result.append(f"* ``{name}``: {escaped(meaning)}" if first else f"  {escaped(text)}")
        else:
            # Indentation would be a quotation.
            result.append(escaped(text))
    return result


def _process(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = rendered(lines)


def _signature(app: Any, what: str, name: str, thing: Any, *_: Any) -> tuple[str, str] | None:
    """Hide the arguments of specs: `**data` says less than the reference of the configuration."""
    return ("", "") if what == "class" and hasattr(thing, "model_fields") else None


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-signature", _signature)
    return {"parallel_read_safe": True}
