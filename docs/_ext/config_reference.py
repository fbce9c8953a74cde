"""Writes the reference of the configuration from the specs, whenever the pages are built.

The comment `<!-- specs -->` in a page is replaced by a section for every key of a config file, with
all names that it may hold, and for each its keys with type, limits, default and description.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

MARK = "<!-- specs -->"
PAGE = "reference"
# Sections inside others come right after the key whose section holds them.
AFTER = {
    "problem": ("coefficient", "reference"),
    "model": ("norm",),
    "optimizer": ("learning_rate",),
    "callbacks": ("callback",),
}
EXPRESSION = "[expression](writing_a_problem.md#expressions)"
SHAPES = "What may stand under `geometry`, and inside unions, intersections and differences."

PLUGINS = "[Plug-ins](plugins.md#callbacks) register these; there are no others."

Node = Mapping[str, Any]


def render() -> str:
    """Return the reference as MyST Markdown; what is registered now is what it lists."""
    from pdehvd.config.root import SECTIONS, Config, prepare
    from pdehvd.problems.shapes import ShapeSpec
    from pdehvd.spec import registered

    prepare()
    sections = {name: {spec.__name__ for spec in registered(name).values()} for name in SECTIONS}
    shapes = {spec.__name__ for spec in ShapeSpec.__subclasses__()}
    return _Pages(Config.model_json_schema(), sections, shapes).text()


class _Pages:
    """The specs of a JSON Schema as Markdown."""

    def __init__(self, schema: Node, sections: Mapping[str, set[str]], shapes: set[str]) -> None:
        self.schema = schema
        self.shapes = shapes
        self.definitions: Mapping[str, Node] = schema["$defs"]
        self.sections = sections
        self.home = {spec: name for name, specs in sections.items() for spec in specs}
        self.done: set[str] = set()

    def text(self) -> str:
        keys = list(self.schema["properties"])
        lines = ["## The file", "", *self._table(self.schema), ""]
        for key in keys:
            lines += self._section(key)
            for inner in AFTER.get(key, ()):
                lines += self._section(inner)
        return "\n".join(lines) + "\n"

    def _section(self, key: str) -> list[str]:
        if key in self.sections:
            specs = sorted(self.sections[key], key=self._name)
        else:
            node = self.schema["properties"][key]
            specs = [name for name in _references(node) if name not in self.home]
        if not specs and key not in self.sections:
            return []
        lines = [f"(section-{key})=", f"## `{key}`", ""]
        lines += [] if specs else [PLUGINS, ""]
        for spec in specs:
            lines += self._spec(spec)
        if key == "problem":
            lines += ["(spec-shapes)=", "### Shapes", "", SHAPES, ""]
            for shape in sorted(self.shapes):
                lines += self._spec(shape)
        return lines

    def _spec(self, spec: str) -> list[str]:
        """Return a spec, then those inside it that belong to no section."""
        if spec in self.done:
            return []
        self.done.add(spec)
        node = self.definitions[spec]
        lines = [f"(spec-{spec.lower()})=", f"### {self._title(spec)}", ""]
        lines += [_escaped(node.get("description", "")), "", *self._table(node), ""]
        for inner in _references(node.get("properties", {})):
            if inner not in self.home and inner not in self.shapes:
                lines += self._spec(inner)
        return lines

    def _name(self, spec: str) -> str:
        return str(self.definitions[spec]["properties"]["name"]["const"])

    def _title(self, spec: str) -> str:
        if spec in self.home:
            return f"`name: {self._name(spec)}`"
        words = "".join(f" {c}" if c.isupper() else c for c in spec.removesuffix("Spec"))
        return words.strip().capitalize() if not spec.isupper() else spec

    def _table(self, node: Node) -> list[str]:
        extra = node.get("additionalProperties")
        rows = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
        for key, value in node.get("properties", {}).items():
            if (key == "name" and "const" in value) or value.get("type") == "null":
                continue
            default = "required" if key in node.get("required", []) else self._default(value)
            meaning = _escaped(value.get("description", ""))
            rows.append(f"| `{key}` | {self._type(value)} | {default} | {meaning} |")
        if isinstance(extra, Mapping):
            rows.append(f"| any other | {self._type(extra)} |  | see above |")
        return rows if len(rows) > 2 else ["Nothing more to choose."]

    def _default(self, node: Node) -> str:
        value = node.get("default")
        if isinstance(value, Mapping) and value:
            if "name" not in value:
                return "its defaults"
            value = {key: item for key, item in value.items() if key == "name" or item}
            return "`{" + ", ".join(f"{key}: {item}" for key, item in value.items()) + "}`"
        return f"`{_plain(value)}`".replace("|", "\\|")

    def _type(self, node: Node) -> str:
        """Return what a value may be, in words, with links."""
        if "$ref" in node:
            return self._link([_referred(node)])
        for key in ("anyOf", "oneOf", "allOf"):
            if key in node:
                return self._choice([n for n in node[key] if n.get("type") != "null"])
        if "const" in node:
            return f"`{json.dumps(node['const'])}`"
        if "enum" in node:
            return ", ".join(f"`{_plain(value)}`" for value in node["enum"])
        kind = node.get("type")
        if kind == "array":
            return self._array(node)
        if kind == "object":
            inner = node.get("additionalProperties")
            return f"mapping to {self._type(inner)}" if isinstance(inner, Mapping) else "mapping"
        words = {"integer": "whole number", "string": "text", "boolean": "true or false"}
        return words.get(str(kind), str(kind or "anything")) + _limits(node)

    def _choice(self, nodes: list[Node]) -> str:
        specs = [_referred(node) for node in nodes if "$ref" in node]
        others = [node for node in nodes if "$ref" not in node]
        if {"number", "string"} <= {node.get("type") for node in others}:
            others = [n for n in others if n.get("type") not in ("number", "string", "integer")]
            specs = [*specs, EXPRESSION]
        words = ([self._link(specs)] if specs else []) + [self._type(node) for node in others]
        return " or ".join(words)

    def _array(self, node: Node) -> str:
        if "prefixItems" in node:
            return f"[{', '.join(self._type(item) for item in node['prefixItems'])}]"
        least = f" (at least {node['minItems']})" if node.get("minItems", 0) > 1 else ""
        return f"list of {self._type(node.get('items', {}))}{least}"

    def _link(self, specs: list[str]) -> str:
        """Return links to specs; all of one section are one link to it."""
        links = []
        for spec in specs:
            section = self.home.get(spec)
            if spec == EXPRESSION:
                links.append(spec)
            elif spec in self.shapes:
                links.append("[shape](#spec-shapes)")
            elif section:
                links.append(f"[{section}](#section-{section})")
            else:
                links.append(f"[{self._title(spec).lower()}](#spec-{spec.lower()})")
        return " or ".join(dict.fromkeys(links))


def _referred(node: Node) -> str:
    return str(node["$ref"]).rsplit("/", 1)[1]


def _references(node: Any) -> Iterator[str]:
    """Return the names of all specs that a part of the schema refers to, in order."""
    if isinstance(node, Mapping):
        if "$ref" in node:
            yield _referred(node)
        for key, value in node.items():
            if key != "discriminator":
                yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


def _limits(node: Node) -> str:
    words = [
        f"{sign} {_plain(node[key])}"
        for key, sign in (
            ("exclusiveMinimum", ">"),
            ("minimum", "≥"),
            ("exclusiveMaximum", "<"),
            ("maximum", "≤"),
        )
        if key in node
    ]
    if "pattern" in node:
        words.append(f"like `{node['pattern']}`".replace("|", "\\|"))
    return " " + ", ".join(words) if words else ""


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _escaped(text: str) -> str:
    """Return plain text with `code` as Markdown, on one line a paragraph."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    result = "\n\n".join(paragraphs)
    pieces = result.split("`")
    for index in range(0, len(pieces), 2):
        for sign in "\\*_|<>[]#$":
            pieces[index] = pieces[index].replace(sign, "\\" + sign)
    return "`".join(pieces)


def _write(app: Any, page: str, source: list[str]) -> None:
    if page == PAGE:
        source[0] = source[0].replace(MARK, render())


def _outdated(app: Any, env: Any, added: Any, changed: Any, removed: Any) -> list[str]:
    """Have the page built every time: it changes with the code, not with its own file."""
    return [PAGE]


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.connect("source-read", _write)
    app.connect("env-get-outdated", _outdated)
    return {"parallel_read_safe": True}
