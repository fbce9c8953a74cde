"""Entries of `{ }` and `[ ]` that YAML reads otherwise than they were meant."""

from __future__ import annotations

import re
from typing import NamedTuple

import yaml

from pdehvd.errors import Path

QUOTE = "quote an expression that holds a comma"
_WHOLE = re.compile(r"[-+]?\d+")
_DECIMALS = re.compile(r"\d+([eE][-+]?\d+)?")


class Cut(NamedTuple):
    """A value in {} or [] that a comma inside its own brackets has ended."""

    message: str
    node: yaml.ScalarNode
    below: Path


def find_cut(text: str, node: yaml.CollectionNode) -> Cut | None:
    """Return the first cut expression among the keys and values of a node, None without any."""
    if isinstance(node, yaml.MappingNode):
        for position, (key, _) in enumerate(node.value):
            before = node.value[position - 1] if position else None
            found = _split(key, before) if _is_alone(node.value[position]) else None
            if found is not None:
                return Cut(*found)
    parts: list[tuple[yaml.Node, Path]] = []
    for index, part in enumerate(node.value):
        if isinstance(part, tuple):
            parts += [(part[0], ()), (part[1], _below(part))]
        else:
            parts.append((part, (index,)))
    for one, below in parts:
        if isinstance(one, yaml.ScalarNode) and _is_cut(text, one):
            message = f"a comma ends the value '{one.value}'; {QUOTE}: "
            return Cut(f"{message}'{_whole(text[one.start_mark.index :])}'", one, below)
    return None


def _below(pair: tuple[yaml.Node, yaml.Node]) -> Path:
    key = pair[0]
    return (str(key.value),) if isinstance(key, yaml.ScalarNode) else ("",)


def _is_alone(pair: tuple[yaml.Node, yaml.Node]) -> bool:
    """Return whether an entry is an unquoted key for which nothing at all is written."""
    key, value = pair
    plain = isinstance(key, yaml.ScalarNode) and key.style is None
    return plain and value.value == "" and value.start_mark.index == value.end_mark.index


def _split(
    key: yaml.ScalarNode, before: tuple[yaml.Node, yaml.Node] | None
) -> tuple[str, yaml.ScalarNode, Path] | None:
    """Return what is wrong where a lone key is the rest of `0,5`, or is `u:0`."""
    value = before[1] if before else None
    number = value.value if isinstance(value, yaml.ScalarNode) and value.style is None else ""
    if before and _WHOLE.fullmatch(number) and _DECIMALS.fullmatch(key.value):
        message = f"a comma ends the value '{number}'; expected a decimal point: "
        return f"{message}{number}.{key.value}", key, _below(before)
    found = re.fullmatch(r"([^\W\d][\w ]*):(\S.*)", key.value)
    if found:
        message = f"a space is missing after the colon of '{key.value}'; expected "
        return f"{message}'{found[1]}: {found[2]}'", key, ()
    return None


def _is_cut(text: str, node: yaml.ScalarNode) -> bool:
    open_ = node.style is None and node.value.count("(") > node.value.count(")")
    return open_ and text[node.end_mark.index :].lstrip().startswith(",")


def _whole(text: str) -> str:
    """Return an expression up to the comma or bracket that ends it outside parentheses."""
    depth = 0
    for position, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        ends = letter in ",]}\n" or text[position : position + 2] == ": "
        if (depth <= 0 and ends) or letter == "\n":
            return text[:position].strip()
    return text.strip()
