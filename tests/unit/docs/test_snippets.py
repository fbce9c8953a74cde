"""Every YAML block and every command of the documentation is one that works."""

from __future__ import annotations

import copy
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest
import trimesh
import typer
import yaml

from pdehvd.cli import app
from pdehvd.comm.group import Solo
from pdehvd.experiment.build import build_parts
from pdehvd.experiment.config import load_config
from pdehvd.experiment.trust.judge import Judge
from pdehvd.experiment.yaml_source import parse_source

DOCS = Path(__file__).parents[3] / "docs"
PAGES = sorted(DOCS.glob("*.md")) + sorted(DOCS.glob("adr/*.md"))
_FENCE = re.compile(r"^```(\w+)[ ]*([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Snippet(NamedTuple):
    """A config that a page shows, whole or laid over the last whole one above it."""

    place: str
    text: str
    tables: dict[str, str]


def blocks(page):
    """Return (line, language, rest of the info line, text) of the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, *match.groups()


def over(below, above):
    """Lay a mapping over another; a section with another name replaces it, as does a geometry."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    if below.get("name") != above.get("name", below.get("name")):
        return above
    laid = {key: over(below.get(key), value) for key, value in above.items()}
    return {**below, **laid, **{key: above[key] for key in ("geometry",) if key in above}}


def snippets():
    for page in PAGES:
        whole, tables = {}, {}
        for line, language, info, text in blocks(page):
            if language == "text" and info.endswith(".csv"):
                tables = {**tables, info: text}
            if language != "yaml" or info == "part":
                continue
            data = parse_source(text, f"{page.name}:{line}").data
            if info == "over":
                data = over(copy.deepcopy(whole), data)
            else:
                assert info == "", f"{page.name}:{line}: '{info}'"
                whole = data
            text = yaml.safe_dump(data, sort_keys=False)
            yield Snippet(f"{page.name}:{line}", text, tables)


SNIPPETS = list(snippets())
COMMANDS = [
    (f"{page.name}:{line}", command)
    for page in PAGES
    for line, language, _, text in blocks(page)
    if language == "bash"
    for command in text.replace("\\\n", " ").splitlines()
    if re.search(r"\bpdehvd \w", command)
]


def test_there_is_something_to_test():
    assert len(SNIPPETS) > 20 and len(COMMANDS) > 10


@pytest.mark.parametrize("snippet", SNIPPETS, ids=[snippet.place for snippet in SNIPPETS])
def test_a_config_can_be_loaded_and_built(snippet, tmp_path):
    for name, text in snippet.tables.items():
        (tmp_path / name).write_text(text)
    if ".stl" in snippet.text:
        trimesh.creation.box((2000.0, 2000.0, 2000.0)).export(tmp_path / "part.stl")
    path = tmp_path / "snippet.yaml"
    path.write_text(snippet.text)
    config, _ = load_config(path)
    parts = build_parts(config, Solo())
    parts.objective.batch(0)
    reference = parts.evaluator and parts.evaluator.reference
    assert Judge(config, parts.objective.problem, reference).before == []


@pytest.mark.parametrize(("place", "command"), COMMANDS)
def test_a_command_has_the_arguments_that_it_is_shown_with(place, command):
    words = shlex.split(command.split(">")[0], comments=True)
    start = next(i for i, word in enumerate(words) if Path(word).name == "pdehvd")
    name, *rest = words[start + 1 :]
    commands = typer.main.get_command(app).commands
    assert name in commands, place
    with commands[name].make_context(name, rest):
        pass
