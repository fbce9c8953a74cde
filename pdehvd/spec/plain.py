"""Plain data: what a YAML or a JSON file holds."""

from __future__ import annotations

from typing import Any, TypeAlias, overload

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Table: TypeAlias = "dict[str, Json]"
# A JSON object whose keys are known to those who wrote it, such as `summary.json`.
Facts: TypeAlias = "dict[str, Any]"


def has(holder: object, key: str | int) -> bool:
    """Return whether something lies under a key of a mapping, or at a place of a list."""
    if isinstance(holder, dict):
        return key in holder
    return isinstance(holder, list | tuple) and isinstance(key, int) and key < len(holder)


@overload
def item(holder: Json, key: str | int) -> Json: ...


@overload
def item(holder: object, key: str | int) -> object: ...


def item(holder: object, key: str | int) -> object:
    """Return what lies under a key of a mapping, or at a place of a list. Raises `KeyError`."""
    if isinstance(holder, dict):
        return holder[key]
    if isinstance(holder, list | tuple) and isinstance(key, int):
        return holder[key]
    raise KeyError(key)


def put(holder: Json, key: str | int, value: Json) -> None:
    """Set what lies under a key of a mapping, or at a place of a list. Raises `KeyError`."""
    if isinstance(holder, dict):
        holder[str(key)] = value
    elif isinstance(holder, list):
        holder[int(key)] = value
    else:
        raise KeyError(key)


def as_table(value: Json) -> Table:
    """Return a mapping as one; anything else as an empty one."""
    return value if isinstance(value, dict) else {}
