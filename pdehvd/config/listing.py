"""What may stand in a config: the JSON Schema for editors, and the registered names."""

from __future__ import annotations

import inspect

from pdehvd.config.root import SECTIONS, Config
from pdehvd.errors import ConfigError, nearest
from pdehvd.spec import registered
from pdehvd.spec.plain import Json, Table, as_table

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def check_section(section: str | None) -> None:
    """Raise `ConfigError` for a section that does not exist; None stands for all."""
    if section is not None and section not in SECTIONS:
        raise ConfigError(
            f"unknown section '{section}'",
            (),
            "one of " + ", ".join(SECTIONS),
            nearest(section, SECTIONS),
        )


def names(section: str | None = None) -> dict[str, list[tuple[str, str]]]:
    """Return, for every section or one, the registered names with a line about each."""
    chosen = SECTIONS if section is None else (section,)
    return {
        name: [(key, _line(spec)) for key, spec in sorted(registered(name).items())]
        for name in chosen
    }


def _line(spec: type) -> str:
    """Return the first line of a class's own documentation."""
    text = inspect.cleandoc(spec.__doc__ or "")
    return text.splitlines()[0] if text else ""


def schema() -> Table:
    """Return the JSON Schema of a config file.

    An editor with yaml-language-server uses it through a first line such as
    `# yaml-language-server: $schema=pdehvd.schema.json`.
    """
    result = Config.model_json_schema()
    definitions = result.get("$defs", {})
    named = {
        f"#/$defs/{key}": content["properties"]["name"]["const"]
        for key, content in definitions.items()
        if "const" in content.get("properties", {}).get("name", {})
    }
    short = {
        reference: name
        for reference, name in named.items()
        if not definitions[reference.removeprefix("#/$defs/")].get("required")
    }
    # A section without a name is the default one, which then fits alone.
    defaults = [content.get("default") for content in result["properties"].values()]
    for reference in (one for one, name in named.items() if name not in defaults):
        definition = definitions[reference.removeprefix("#/$defs/")]
        definition["required"] = ["name", *definition.get("required", [])]
    whole = as_table(_with_short_forms(result, short))
    return {"$schema": _DRAFT, **whole, "title": "pdehvd config"}


def _with_short_forms(node: Json, short: dict[str, str]) -> Json:
    """Allow `model: mlp` for `model: {name: mlp}` wherever a section with a name may stand."""
    if isinstance(node, list):
        return [_with_short_forms(item, short) for item in node]
    if not isinstance(node, dict):
        return node
    if "discriminator" in node:
        references = (_reference(one) for one in _listed(node["oneOf"]))
        allowed: list[Json] = [short[one] for one in references if one in short]
        rest = {k: v for k, v in node.items() if k not in ("discriminator", "oneOf")}
        return {"anyOf": [{"oneOf": node["oneOf"]}, {"enum": allowed}], **rest}
    reference = _reference(node)
    if reference in short:
        rest = {k: v for k, v in node.items() if k != "$ref"}
        return {"anyOf": [{"$ref": reference}, {"enum": [short[reference]]}], **rest}
    return {key: _with_short_forms(value, short) for key, value in node.items()}


def _reference(node: Json) -> str:
    return str(as_table(node).get("$ref"))


def _listed(node: Json) -> list[Json]:
    return node if isinstance(node, list) else []
