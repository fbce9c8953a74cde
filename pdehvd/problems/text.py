"""Expressions of a config: texts, numbers, and in Python also functions."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from pdehvd.numerics.tracing import as_text

FromFunction = BeforeValidator(as_text)
"""Turns a function, or what SymPy has computed, into the text of an expression."""

Text = Annotated[str | int | float, FromFunction]
"""An expression."""

Entries = Annotated[dict[str, Text] | Text, FromFunction]
"""Left sides with their right sides, or one expression."""
