"""Which specs a section of a config may name."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from pdehvd.errors import ConfigError, nearest

_sections: dict[str, dict[str, type[BaseModel]]] = {}
# Of a name that is quoted in a message.
_LONGEST = 60


def enter(section: str, spec: type[BaseModel]) -> None:
    """Let a section name a spec, whose field `name` has the name as its default."""
    _sections.setdefault(section, {})[spec.model_fields["name"].default] = spec


def entries(section: str) -> dict[str, type[BaseModel]]:
    """Return the specs that a section may name, by name."""
    return dict(_sections.get(section, {}))


def section_of(spec: type[BaseModel]) -> str:
    """Return the section that may name a spec, or an empty text."""
    return next((name for name, specs in _sections.items() if spec in specs.values()), "")


def _named(section: str) -> Callable[[object], object]:
    """Let a bare string stand for `{name: string}` and check the name before the rest."""

    def check(value: object) -> object:
        if isinstance(value, str):
            value = {"name": value}
        names = sorted(entries(section))
        if isinstance(value, BaseModel) and type(value) not in entries(section).values():
            one = "one of " + ", ".join(names)
            raise ConfigError(f"got {type(value).__name__}", (), one)
        if not isinstance(value, dict):
            return value
        given = value.get("name")
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


def section_type(section: str) -> object:
    """Return the type of a section: the discriminated union of its registered specs."""
    specs = tuple(entries(section).values())
    # What only plug-ins register has no names before: the check below refuses all.
    union: object = reduce(or_, specs) if specs else dict[str, object]
    if len(specs) > 1:
        union = Annotated[union, Field(discriminator="name")]
    return Annotated[union, BeforeValidator(_named(section))]


class Section:
    """Marks a field as a section, `Annotated[Spec, Section("model")]`, resolved when first used."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get_pydantic_core_schema__(self, _: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(section_type(self.name))
