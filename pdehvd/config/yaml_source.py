"""YAML files as data plus the place of every key, so that an error can name its line.

The numbers and booleans are those of YAML 1.2: `1e-3` is a number, and `on`, `no` or `12:30` are
text (YAML 1.1 would turn the key `on` into `True`). Keys are always text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import NamedTuple

import yaml

from pdehvd.config.files import LocatedError, read_text
from pdehvd.config.yaml_errors import explain_yaml_error
from pdehvd.config.yaml_flow import find_cut
from pdehvd.errors import ConfigError, Path
from pdehvd.spec.plain import Json, Table, as_table

MAXIMUM_NODES = 100_000
MAXIMUM_DEPTH = 40
_TOO_DEEP = f"nested too deeply; expected at most {MAXIMUM_DEPTH} levels"


class Mark(NamedTuple):
    """Where a key or a list item begins; line and column count from 1, 0 outside a file."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True)
class YamlSource:
    """What was read: the data and, for every path in it, where it was written."""

    name: str
    data: Table
    marks: Mapping[Path, Mark] = field(default_factory=dict)
    folder: File = File(".")

    def where(self, path: Path) -> Mark:
        """Return the place of `path`, or of its nearest parent; the file alone for the root."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.marks:
                return self.marks[path[:length]]
        return Mark(self.name)

    def line(self, error: ConfigError) -> str:
        """Return `configs/x.yaml:12: path: message; expected ...; did you mean '...'?`."""
        if isinstance(error, LocatedError):
            return str(error)
        mark = str(self.where(error.path))
        path = ".".join(str(part) for part in error.path)
        if mark == f"--set {path}":
            error = ConfigError(error.message, (), error.expected, error.nearest)
        return f"{mark}: {error}"

    def located(self, error: ConfigError) -> LocatedError:
        """Return the error with its place in front; an error that has one stays as it is."""
        return error if isinstance(error, LocatedError) else LocatedError(self.line(error))

    @contextmanager
    def locating(self) -> Iterator[None]:
        """Put its place in front of a `ConfigError` that the block raises."""
        try:
            yield
        except ConfigError as error:
            raise self.located(error) from error


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """PyYAML's parser with the implicit types of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


_TAG = "tag:yaml.org,2002:"
_PLAIN = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+(_[0-9]+)*|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(_[0-9]+)*(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """PyYAML's writer, which also quotes a text that YAML 1.2 would read as a number."""

    def text(self, text: str) -> yaml.Node:
        """Escape the rarer line ends, which single quotes would lose."""
        style = '"' if re.search("[\x85\u2028\u2029]", text) else None
        return self.represent_scalar(_TAG + "str", text, style)


_Dumper.add_representer(str, _Dumper.text)

for _name, _pattern, _first in _PLAIN:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern})$"), _first)


def read_source(path: str | File) -> YamlSource:
    """Read a config file. Raises `ConfigError` for all but a YAML mapping of modest size."""
    file, name = File(path), str(path)
    source = parse_source(read_text(file), name)
    return YamlSource(name, source.data, source.marks, file.resolve().parent)


def parse_source(text: str, name: str) -> YamlSource:
    """Return the data and marks of a YAML text whose root is a mapping."""
    builder = _Builder(name)
    node = builder.compose(text)
    if node is None:
        raise LocatedError(f"{name}: the file is empty; expected sections such as problem")
    if not isinstance(node, yaml.MappingNode):
        message = "the file is not a mapping; expected `key: value` lines"
        raise builder.fault(f"{message}, with a space after the colon", node)
    return YamlSource(name, as_table(builder.build(node, ())), builder.marks)


def parse_value(text: str, name: str) -> Json:
    """Return the value of a YAML fragment, as after `--set a.b=`; nothing at all is null."""
    builder = _Builder(name, numbered=False)
    node = builder.compose(text)
    return None if node is None else builder.build(node, ())


def to_yaml(data: Mapping[str, Json]) -> str:
    """Return plain data as YAML, which reads back the same."""
    result: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return result


def _number(text: str) -> float:
    # Python writes inf and nan without YAML's dot.
    return float(re.sub(r"\.(?=inf|nan)", "", text.lower()))


_CONVERTERS: dict[str, Callable[[str], Json]] = {
    "str": str,
    "null": lambda text: None,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": lambda text: int(text, 16 if text.startswith("0x") else 10),
    "float": _number,
}


def _is_merge(key: yaml.Node) -> bool:
    return isinstance(key, yaml.ScalarNode) and key.value == "<<" and key.style is None


class _Builder:
    """Turns YAML nodes into plain data, and remembers where each key and item was."""

    def __init__(self, name: str, numbered: bool = True) -> None:
        self.name = name
        self.numbered = numbered
        self.marks: dict[Path, Mark] = {}
        self._nodes = 0
        self._text = ""
        # Not the length of the path: a mapping that merges itself stays where it is.
        self._depth = 0

    def compose(self, text: str) -> yaml.Node | None:
        """Parse the text; every fault of the syntax becomes one line."""
        self._text = text
        try:
            return yaml.compose(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            message, line = explain_yaml_error(text, error)
            mark = Mark(self.name, line + 1) if self.numbered else Mark(self.name)
            raise LocatedError(f"{mark}: {message}") from error
        except yaml.YAMLError as error:
            reason = str(error).splitlines()[0]
            raise LocatedError(f"{self.name}: not text that YAML allows: {reason}") from error
        except RecursionError as error:
            raise LocatedError(f"{self.name}: {_TOO_DEEP}") from error

    def fault(self, message: str, node: yaml.Node) -> LocatedError:
        """Return an error at the line of `node`."""
        return self._error(message, node.start_mark)

    def _error(self, message: str, mark: yaml.Mark) -> LocatedError:
        return LocatedError(f"{self._mark(mark) if mark else self.name}: {message}")

    def _mark(self, mark: yaml.Mark) -> Mark:
        return Mark(self.name, mark.line + 1, mark.column + 1) if self.numbered else Mark(self.name)

    def build(self, node: yaml.Node, path: Path) -> Json:
        """Return the data of a node; aliases are expanded, so their number is bounded here."""
        self._nodes += 1
        if self._nodes > MAXIMUM_NODES:
            raise self.fault(f"more than {MAXIMUM_NODES} values, aliases expanded", node)
        if self._depth > MAXIMUM_DEPTH:
            raise self.fault(_TOO_DEEP, node)
        self._depth += 1
        try:
            return self._built(node, path)
        finally:
            self._depth -= 1

    def _built(self, node: yaml.Node, path: Path) -> Json:
        if isinstance(node, yaml.CollectionNode) and node.flow_style:
            cut = find_cut(self._text, node)
            if cut is not None:
                place = ".".join(str(part) for part in (*path, *cut.below))
                raise self.fault(f"{place}: {cut.message}" if place else cut.message, cut.node)
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self._item(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node)

    def _item(self, node: yaml.Node, path: Path) -> Json:
        self.marks[path] = self._mark(node.start_mark)
        return self.build(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> Table:
        result: Table = {}
        own: set[str] = set()
        for key, value in sorted(node.value, key=lambda pair: not _is_merge(pair[0])):
            if _is_merge(key):
                result = {**self._merged(value, path), **result}
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise self.fault("a key must be text, not a list or a mapping", key)
            self._check_letters(key)
            below = (*path, key.value)
            if key.value in own:
                first = self.marks[below].line
                where = f", first on line {first}" if first else ""
                raise self.fault(f"duplicate key '{key.value}'{where}", key)
            own.add(key.value)
            self.marks[below] = self._mark(key.start_mark)
            result[key.value] = self.build(value, below)
        return result

    def _merged(self, node: yaml.Node, path: Path) -> Table:
        """Return what `<<: *other` or `<<: [*one, *two]` brings; the first has the last word."""
        result: Table = {}
        for one in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(one, yaml.MappingNode):
                raise self.fault("'<<' takes a mapping, or a list of mappings", one)
            result = {**as_table(self.build(one, path)), **result}
        return result

    def _check_letters(self, node: yaml.ScalarNode) -> None:
        """Raise for an escape such as `\\ud800`, half of a letter that no file can hold."""
        half = re.search("[\ud800-\udfff]", node.value)
        if half:
            raise self.fault(
                f"'\\u{ord(half[0]):x}' is half of a letter; expected the letter itself", node
            )

    def _scalar(self, node: yaml.Node) -> Json:
        kind = node.tag.removeprefix(_TAG)
        if kind not in _CONVERTERS or not isinstance(node, yaml.ScalarNode):
            raise self.fault(f"the tag '{node.tag}' is not allowed; expected plain YAML", node)
        self._check_letters(node)
        try:
            return _CONVERTERS[kind](node.value)
        except (ValueError, KeyError) as error:
            raise self.fault(f"'{node.value[:40]}' is not a valid {kind}", node) from error
