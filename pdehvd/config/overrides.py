"""`--set a.b=c`: values from the command line that override those of the file."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from pdehvd.config.files import LocatedError
from pdehvd.config.yaml_source import Mark, YamlSource, parse_value
from pdehvd.errors import Path, counted
from pdehvd.spec.plain import Json, Table, put


def override(source: YamlSource, settings: Sequence[str]) -> YamlSource:
    """Return the source with every `a.b=value` of `settings` put in, in order.

    Values are YAML. Sections that are missing are made; a section that was written as a bare name
    keeps that name. Items of lists are numbers: `optimizer.0.steps=10`. Whether the path exists
    is for validation to say, which then names the setting instead of a line.
    """
    data = copy.deepcopy(source.data)
    marks = dict(source.marks)
    for setting in settings:
        dotted, equals, text = setting.partition("=")
        parts = dotted.strip().split(".")
        if not equals or not all(parts):
            raise LocatedError(f"--set {setting}: not a setting; expected path.to.key=value")
        mark = Mark(f"--set {'.'.join(parts)}")
        value = parse_value(text, str(mark))
        path = _put(data, parts, value, mark)
        for known in [known for known in marks if known[: len(path)] == path]:
            del marks[known]
        # Sections that the file does not hold were written nowhere else.
        for length in range(1, len(path) + 1):
            marks.setdefault(path[:length], mark)
    return YamlSource(source.name, data, marks, source.folder)


def _put(data: Table, parts: Sequence[str], value: Json, mark: Mark) -> Path:
    """Set the value in place and return its path, list indices as numbers."""
    holder: Json = data
    path: list[str | int] = []
    for position, part in enumerate(parts):
        key = _key(holder, part, path, mark)
        path.append(key)
        if position == len(parts) - 1:
            put(holder, key, value)
        elif isinstance(holder, list):
            holder = holder[int(key)]
        elif isinstance(holder, dict):
            inner = holder.get(str(key))
            # `model: mlp` is short for `model: {name: mlp}`.
            inner = {"name": inner} if isinstance(inner, str) else inner
            holder[str(key)] = {} if inner is None else inner
            holder = holder[str(key)]
    return tuple(path)


def _key(holder: Json, part: str, path: Sequence[str | int], mark: Mark) -> str | int:
    if isinstance(holder, dict):
        return part
    above = ".".join(str(p) for p in path)
    if not isinstance(holder, list):
        raise LocatedError(f"{mark}: {above} has no keys; expected --set {above}=value")
    if not part.isdecimal() or int(part) >= len(holder):
        raise LocatedError(
            f"{mark}: {above} is a list of {counted(len(holder), 'item')}; expected a number from 0"
        )
    return int(part)
