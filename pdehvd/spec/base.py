"""Specs are constructors: a YAML section is a frozen, validated model next to its code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import UnionType
from typing import Annotated, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import to_jsonable_python

from pdehvd.errors import ConfigError
from pdehvd.errors import Path as PathOfKeys
from pdehvd.spec import registry
from pdehvd.spec.findings import found, join_errors
from pdehvd.spec.plain import Json, Table


class Spec(BaseModel):
    """Base of every YAML section: immutable, and unknown keys are errors.

    >>> class Wave(Spec):
    ...     speed: float
    >>> Wave(speed=2).plain()
    {'speed': 2.0}
    >>> Wave(sped=2)
    Traceback (most recent call last):
        ...
    pdehvd.errors.ConfigError: sped: unknown key 'sped'; expected one of speed; did you mean...
    """

    # Built at first use, so that sections see what plug-ins have registered by then.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, allow_inf_nan=False)

    # What a problem, a model, a sampling or a reference is for: networks of coordinates ("points")
    # or networks that map fields on a grid ("grid").
    kind: ClassVar[str] = "points"

    def __init__(self, /, **data: object) -> None:
        """Make a spec in Python. Raises `ConfigError` with the path that a file would have."""
        try:
            super().__init__(**data)
        except ValidationError as error:
            section = registry.section_of(type(self))
            prefix = (section,) if section else ()
            mistakes = found(error, data, type(self))
            # What pydantic says of it is in these words.
            raise join_errors([one.within(*prefix) for one in mistakes]) from None

    # A section of a file is validated with its folder, and not by a call from inside.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_no_booleans(cls, data: object) -> object:
        given = data if isinstance(data, dict) else {}
        for name, field in cls.model_fields.items():
            key = field.alias or name
            if key in given:
                _refuse_booleans(given[key], field.annotation, (key,))
        return data

    def plain(self) -> Table:
        """Return what validates to an equal spec: plain data under YAML's keys, the name first.

        A null is left out where it is the default.
        """
        data = {
            field.alias or name: _plain(getattr(self, name))
            for name, field in type(self).model_fields.items()
            if getattr(self, name) is not None or field.default is not None
        }
        data |= {key: _plain(value) for key, value in (self.model_extra or {}).items()}
        return {key: data[key] for key in sorted(data, key=lambda key: key != "name")}


def _refuse_booleans(value: object, kind: object, path: PathOfKeys) -> None:
    """Refuse true and false where a number is expected: to Python they are 1 and 0.

    What lies in other specs is left to them.
    """
    leaves = list(_alternatives(kind))
    if isinstance(value, bool):
        if (int in leaves or float in leaves) and bool not in leaves:
            expected = "a number" if float in leaves else "a whole number"
            text = "text or " if str in leaves else ""
            raise ConfigError(f"got {str(value).lower()}", path, text + expected)
    elif isinstance(value, dict):
        inner = _union(get_args(leaf)[-1:] for leaf in leaves if get_origin(leaf) is dict)
        for key, item in value.items():
            _refuse_booleans(item, inner, (*path, key))
    elif isinstance(value, list | tuple):
        inner = _union(get_args(leaf) for leaf in leaves if get_origin(leaf) in (list, tuple))
        for index, item in enumerate(value):
            _refuse_booleans(item, inner, (*path, index))


def _alternatives(kind: object) -> Iterator[object]:
    """Yield the types behind an annotation."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _alternatives(get_args(kind)[0])
    elif origin is Literal:
        yield from map(type, get_args(kind))
    elif origin in (Union, UnionType):
        for one in get_args(kind):
            yield from _alternatives(one)
    else:
        yield kind


def _union(groups: Iterable[tuple[object, ...]]) -> object:
    """Return the union of the types in the groups."""
    found = tuple(one for group in groups for one in group if one is not Ellipsis)
    return Union[found] if found else None  # noqa: UP007


def _plain(value: object) -> Json:
    if isinstance(value, Spec):
        return value.plain()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    result: Json = to_jsonable_python(value, inf_nan_mode="constants")
    return result


SpecClass = TypeVar("SpecClass", bound=type[Spec])


def register(section: str) -> Callable[[SpecClass], SpecClass]:
    """Register a spec under its `name` (a `Literal` field with a default) in a YAML section.

    Arguments:
        section: `model`, `optimizer`, `aggregation`, `callback`, `problem`, `sampling`, ...

    >>> @register("weighting")
    ... class Halved(Spec):
    ...     name: Literal["halved"] = "halved"
    >>> registered("weighting")["halved"]
    <class 'pdehvd.spec.base.Halved'>
    """

    def add(spec: SpecClass) -> SpecClass:
        registry.enter(section, spec)
        return spec

    return add


def registered(section: str) -> dict[str, type[Spec]]:
    """Return the specs that a section may name, by name."""
    found = registry.entries(section)
    return {name: spec for name, spec in found.items() if issubclass(spec, Spec)}
