"""Docstrings are plain text with `code` in backquotes; Sphinx gets them as reStructuredText."""

from __future__ import annotations

import re
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


def _process(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    # Indentation would be a quotation.
    lines[:] = [escaped(line.strip()) for line in lines]


def _signature(app: Any, what: str, name: str, thing: Any, *_: Any) -> tuple[str, str] | None:
    """Hide the arguments of specs: `**data` says less than the reference of the configuration."""
    return ("", "") if what == "class" and hasattr(thing, "model_fields") else None


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-signature", _signature)
    return {"parallel_read_safe": True}
