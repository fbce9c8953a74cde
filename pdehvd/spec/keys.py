"""Which keys a section of a config may hold, found by walking the specs along the data."""

from __future__ import annotations

import types
from collections.abc import Collection, Iterable
from typing import Annotated, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel

from pdehvd.errors import Path
from pdehvd.spec.plain import item
from pdehvd.spec.registry import Section


def valid_keys(
    model: type[BaseModel], data: object, path: Path, branches: Collection[str] = ()
) -> list[str]:
    """Return the keys that the section at `path` of `data` may hold.

    Where a union of unnamed specs allows several, `branches` (pydantic's names of the specs) say
    which; without them the keys of all are returned.
    """
    kinds: list[object] = [model]
    for part in path:
        kinds = [inner for kind in _alternatives(kinds, data) for inner in _inside(kind, part)]
        data = item(data, part)
    specs = [kind for kind in _alternatives(kinds, data) if _is_model(kind)]
    chosen = [spec for spec in specs if spec.__name__ in branches] or specs
    return list(dict.fromkeys(key for spec in chosen for key in _fields(spec)))


def _is_model(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _fields(spec: type[BaseModel]) -> dict[str, object]:
    """Return the annotations of a spec's fields under the keys they have in YAML."""
    fields: dict[str, object] = {}
    for name, field in spec.model_fields.items():
        parts = (field.annotation, *field.metadata)
        fields[field.alias or name] = Annotated[parts] if field.metadata else field.annotation
    return fields


def _alternatives(kinds: Iterable[object], value: object) -> list[object]:
    """Return the concrete types behind annotations; a value with a name chooses its spec."""
    result: list[object] = []
    for kind in kinds:
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is Annotated:
            sections = [mark for mark in arguments[1:] if isinstance(mark, Section)]
            inner = [spec for section in sections for spec in section.candidates(value)]
            result += _alternatives(inner if sections else arguments[:1], value)
        elif origin in (Union, types.UnionType):
            result += _alternatives(arguments, value)
        else:
            result.append(kind)
    name = value.get("name") if isinstance(value, dict) else None
    named: list[object] = [kind for kind in result if _is_model(kind) and _name(kind) == name]
    return named if named and name is not None else result


def _name(spec: type[BaseModel]) -> object:
    field = spec.model_fields.get("name")
    return None if field is None else field.default


def _inside(kind: object, part: str | int) -> list[object]:
    """Return the annotations of what lies under `part` of a value of this type."""
    if _is_model(kind):
        return [annotation for key, annotation in _fields(kind).items() if key == part]
    arguments = [argument for argument in get_args(kind) if argument is not Ellipsis]
    return arguments[-1:]
