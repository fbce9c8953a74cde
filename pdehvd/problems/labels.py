"""Labels: what pictures and the report call the names of a problem."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from pdehvd.errors import ConfigError, nearest


def _given(text: object) -> object:
    if text is None:
        raise ConfigError("no label follows", (), "text, in quotes if it contains a comma")
    return text


def _one_line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("a label is one line of text")
    return text.strip()


Label = Annotated[str, Field(max_length=60), BeforeValidator(_given), AfterValidator(_one_line)]


def check_labels(labels: Mapping[str, str], names: Collection[str]) -> None:
    """Raise `ConfigError` where a label is for none of the names of a problem."""
    for name in labels:
        if name not in names:
            raise ConfigError(
                f"this problem has no '{name}'",
                ("labels", name),
                "one of " + ", ".join(names),
                nearest(name, names),
            )
