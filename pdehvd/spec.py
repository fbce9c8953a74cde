"""Specs are constructors: a YAML section is a frozen, validated model next to its code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from operator import or_
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationInfo,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, to_jsonable_python

from pdehvd.errors import ConfigError, nearest
from pdehvd.errors import Path as PathOfKeys


class Spec(BaseModel):
    """Base of every YAML section: immutable, and unknown keys are errors."""

    # Built at first use, so that sections see what plug-ins have registered by then.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, allow_inf_nan=False)

    # What a problem, a model, a sampling or a reference is for: networks of coordinates ("points")
    # or networks that map fields on a grid ("grid").
    kind: ClassVar[str] = "points"

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_no_booleans(cls, data: Any) -> Any:
        for name, field in cls.model_fields.items() if isinstance(data, dict) else ():
            key = field.alias or name
            if key in data:
                _refuse_booleans(data[key], field.annotation, (key,))
        return data

    def plain(self) -> dict[str, Any]:
        """Return what validates to an equal spec: plain data under YAML's keys, the name first.

        A null is left out where it is the default.
        """
        data = {
            field.alias or name: _plain(getattr(self, name))
            for name, field in type(self).model_fields.items()
            if getattr(self, name) is not None or field.default is not None
        }
        data |= _plain(self.model_extra or {})
        return {key: data[key] for key in sorted(data, key=lambda key: key != "name")}


def _refuse_booleans(value: Any, kind: Any, path: PathOfKeys) -> None:
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


def _alternatives(kind: Any) -> Iterator[Any]:
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


def _union(groups: Iterable[tuple[Any, ...]]) -> Any:
    """Return the union of the types in the groups."""
    found = tuple(one for group in groups for one in group if one is not Ellipsis)
    return Union[found] if found else None  # noqa: UP007


def _plain(value: Any) -> Any:
    if isinstance(value, Spec):
        return value.plain()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return to_jsonable_python(value, inf_nan_mode="constants")


SpecClass = TypeVar("SpecClass", bound=type[Spec])
_sections: dict[str, dict[str, type[Spec]]] = {}
# Of a name that is quoted in a message.
_LONGEST = 60


def register(section: str) -> Callable[[SpecClass], SpecClass]:
    """Register a spec under its `name` (a `Literal` field with a default) in a YAML section."""

    def add(spec: SpecClass) -> SpecClass:
        fields: dict[str, FieldInfo] = spec.model_fields  # type: ignore[call-overload]
        _sections.setdefault(section, {})[fields["name"].default] = spec
        return spec

    return add


def registered(section: str) -> dict[str, type[Spec]]:
    """Return the specs that a section may name, by name."""
    return dict(_sections.get(section, {}))


def _named(section: str) -> Callable[[Any], Any]:
    """Let a bare string stand for `{name: string}` and check the name before the rest."""

    def check(value: Any) -> Any:
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict):
            return value
        names, given = sorted(registered(section)), value.get("name")
        # A list or a mapping in its place could not even be looked up.
        if not isinstance(given, str) or given not in names:
            shown = str(given)[:_LONGEST]
            raise ConfigError(
                f"unknown {section} '{shown}'" if "name" in value else f"the {section} has no name",
                ("name",) if "name" in value else (),
                "one of " + ", ".join(names) if names else "a name that a plug-in registers",
                nearest(shown, names),
            )
        return value

    return check


def section_type(section: str) -> Any:
    """Return the type of a section: the discriminated union of its registered specs."""
    specs = tuple(registered(section).values())
    # What only plug-ins register has no names before: the check below refuses all.
    union: Any = reduce(or_, specs) if specs else dict[str, Any]
    if len(specs) > 1:
        union = Annotated[union, Field(discriminator="name")]
    return Annotated[union, BeforeValidator(_named(section))]


class Section:
    """Marks a field as a section, `Annotated[Spec, Section("model")]`, resolved when first used."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(section_type(self.name))


class DataPath(str):
    """The absolute path of a file that a config names."""

    __slots__ = ()


def _resolved(path: str, info: ValidationInfo) -> DataPath:
    """Make a path absolute: relative ones start from the folder of the config file."""
    context = info.context or {}
    try:
        given = Path(context.get("folder", ".")) / Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"'{path}': the home directory of ~ is unknown") from error
    try:
        full = given.resolve()
    except (RuntimeError, OSError) as error:
        raise ValueError(f"'{path}' is a link that leads back to itself") from error
    return DataPath(context.get("copies", {}).get(path, full))


DataFile = Annotated[str, AfterValidator(_resolved)]
"""A file named in a config, relative to it; validation gets `context={"folder": ...}`.

`copies` in the context says, by the path in the config, what stands for a file there.
"""


def data_files(value: Any, path: PathOfKeys = ()) -> Iterator[tuple[PathOfKeys, DataPath]]:
    """Yield the files that a spec names, each with its path in the YAML file."""
    if isinstance(value, DataPath):
        yield path, value
    elif isinstance(value, Spec):
        for name, field in type(value).model_fields.items():
            yield from data_files(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from data_files(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from data_files(item, (*path, index))
