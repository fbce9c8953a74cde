"""Which specs a section of a config may name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

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


class Section:
    """Marks a field as a section, `Annotated[Spec, Section("model")]`.

    Which spec a section names is looked up when a value is validated, so plug-ins may register
    theirs at any time. A bare text stands for `{name: text}`; `short` turns other short forms,
    which `short_schema` describes, into mappings. A mapping without a name names `default`.
    """

    def __init__(
        self,
        name: str,
        short: Callable[[object], object] | None = None,
        short_schema: JsonSchemaValue | None = None,
        default: str = "",
    ) -> None:
        self.name = name
        self._default = default
        self._short = short
        self._short_schema = short_schema

    def candidates(self, value: object) -> list[type[BaseModel]]:
        """Return the specs that a value may stand for: all, unless it lacks a name."""
        specs = entries(self.name)
        # An empty section says nothing yet of what it is to be.
        unnamed = isinstance(value, dict) and value and "name" not in value
        return [specs[self._default]] if unnamed and self._default in specs else [*specs.values()]

    def __get_pydantic_core_schema__(self, _: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schemas = {name: _core_schema(spec) for name, spec in entries(self.name).items()}
        if not schemas:
            return {"type": "object"}
        if len(schemas) == 1:
            one = handler(core_schema.union_schema(list(schemas.values())))
        else:
            one = handler(core_schema.tagged_union_schema(schemas, "name"))
        return {"anyOf": [self._short_schema, one]} if self._short_schema else one

    def _validate(self, value: object, info: ValidationInfo) -> BaseModel:
        if self._short is not None:
            value = self._short(value)
        if isinstance(value, str):
            value = {"name": value}
        specs = entries(self.name)
        if isinstance(value, BaseModel):
            if type(value) in specs.values():
                return value
            raise ConfigError(f"got {type(value).__name__}", (), _one_of(specs))
        if not isinstance(value, dict):
            raise PydanticKnownError("model_attributes_type")
        if self._default:
            value = {"name": self._default, **value}
        given = value.get("name")
        # A list or a mapping in its place could not even be looked up.
        if not isinstance(given, str) or given not in specs:
            shown = str(given)[:_LONGEST]
            raise ConfigError(
                f"unknown {self.name} '{shown}'"
                if "name" in value
                else f"the {self.name} has no name",
                ("name",) if "name" in value else (),
                _one_of(specs),
                nearest(shown, sorted(specs)),
            )
        return specs[given].model_validate(value, context=info.context)


def _one_of(specs: Mapping[str, object]) -> str:
    return "one of " + ", ".join(sorted(specs)) if specs else "a name that a plug-in registers"


def _core_schema(spec: type[BaseModel]) -> CoreSchema:
    """Return the schema of a spec, which is built when it is first used, under its own name."""
    spec.model_rebuild()
    schema = spec.__pydantic_core_schema__
    # pydantic leaves the name out where nothing in the spec itself refers to it.
    ref = f"{spec.__module__}.{spec.__qualname__}:{id(spec)}"
    if schema["type"] == "definitions":
        return {**schema, "schema": {**schema["schema"], "ref": ref}}
    return {**schema, "ref": ref}
