"""Every config that a person may type: the blocks of the docs, the shipped files, the cases."""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import trimesh
import yaml

from pdehvd.config.yaml_source import parse_source

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
CASES = ROOT / "tests" / "cases"
EXAMPLES = ROOT / "docs" / "examples"
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "adr").glob("*.md")),
]
# What a block that shows one section is laid over.
BASE = CONFIGS / "heat_1d.yaml"
_FENCE = re.compile(r"^```(\w+)[ ]*([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Sections whose keys are names that a person chooses, or coordinates.
_NAMED = {"at", "equal", "from", "hard", "to", "terms", "values"} | {
    *("boundary", "conditions", "constants", "coordinates", "definitions", "differences"),
    *("equations", "fields", "fluxes", "inputs", "labels", "monitors", "parameters"),
    *("reference", "subdomains", "unknowns"),
}


def key_paths(value: Any, path: tuple[str, ...] = (), named: bool = False) -> set[tuple[str, ...]]:
    """Return the paths of all keys, where chosen names count as one, and the kinds by `name`."""
    found: set[tuple[str, ...]] = set()
    if isinstance(value, dict):
        for key, inner in value.items():
            step = "*" if named else str(key)
            found |= key_paths(inner, (*path, step), key in _NAMED and not named)
        if isinstance(value.get("name"), str) and "geometry" not in path:
            found.add((*path, "name", value["name"]))
    elif isinstance(value, list):
        for inner in value:
            found |= key_paths(inner, (*path, "[]"), named)
    else:
        found.add(path)
    return found


@dataclass(frozen=True)
class Typed:
    """A config, where it comes from, and the files that lie in its folder."""

    place: str
    text: str
    files: dict[str, str] = field(default_factory=dict)
    folders: tuple[Path, ...] = ()
    plugins: tuple[Path, ...] = ()

    @cached_property
    def data(self) -> dict[str, Any]:
        return parse_source(self.text, self.place).data

    def write(self, folder: Path) -> Path:
        """Write the config and its files into a folder; return the config's path."""
        for name, text in self.files.items():
            (folder / name).write_text(text)
        for source in self.folders:
            shutil.copytree(source, folder / source.name, dirs_exist_ok=True)
        if ".stl" in self.text:
            trimesh.creation.box((2000.0, 2000.0, 2000.0)).export(folder / "part.stl")
        path = folder / "typed.yaml"
        path.write_text(self.text)
        return path


def fenced(page: Path) -> Iterator[tuple[int, str, str, str]]:
    """Return (line, language, rest of the info line, text) of the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, *match.groups()


def _over(below: Any, above: Any) -> Any:
    """Lay a mapping over another; a section with another name replaces it, as does a geometry."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    if below.get("name") != above.get("name", below.get("name")):
        return above
    laid = {key: _over(below.get(key), value) for key, value in above.items()}
    return {**below, **laid, **{key: above[key] for key in ("geometry",) if key in above}}


def documented() -> Iterator[Typed]:
    """Return the YAML blocks of all pages, whole or laid over a whole config.

    A block marked `over` is laid over the last whole one above it, one marked `part` over a
    shipped config.
    """
    for page in PAGES:
        whole: dict[str, Any] = {}
        files = {
            info: text for _, language, info, text in fenced(page) if language == "text" and info
        }
        for line, language, info, text in fenced(page):
            place = f"{page.relative_to(ROOT)}:{line}"
            if language != "yaml":
                continue
            # A comment for an editor is a block as well.
            data = parse_source(text, place).data if re.search(r"^\w", text, re.M) else {}
            if info == "over":
                data = _over(copy.deepcopy(whole), data)
            elif info == "part":
                data = _over(parse_source(BASE.read_text(), BASE.name).data, data)
            else:
                assert info == "", f"{place}: '{info}'"
                whole = data
            yield Typed(place, yaml.safe_dump(data, sort_keys=False), files)


def shipped() -> Iterator[Typed]:
    """Return the configs of the project and of the documentation's examples."""
    for path in sorted(CONFIGS.glob("*.yaml")):
        yield Typed(f"configs/{path.name}", path.read_text(), folders=(CONFIGS / "data",))
    plugins = tuple(sorted(EXAMPLES.glob("*.py")))
    for path in sorted(EXAMPLES.glob("*.yaml")):
        yield Typed(f"docs/examples/{path.name}", path.read_text(), plugins=plugins)


def cases() -> Iterator[Typed]:
    """Return the cases made from what users reported."""
    tables = {path.name: path.read_text("utf-8") for path in sorted(CASES.glob("*.csv"))}
    for path in sorted(CASES.glob("[0-9]*.yaml")):
        yield Typed(f"tests/cases/{path.name}", path.read_text(), files=tables)
