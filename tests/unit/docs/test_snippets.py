"""Every command that the documentation shows has the arguments of the program.

Its configs are typed into the real commands by tests/cli/test_typed.py.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from pdehvd.cli import app
from tests.support.typed import PAGES, fenced

COMMANDS = [
    (f"{page.name}:{line}", command)
    for page in PAGES
    for line, language, _, text in fenced(page)
    if language == "bash"
    for command in text.replace("\\\n", " ").splitlines()
    if re.search(r"\bpdehvd \w", command)
]


def test_there_are_commands():
    assert len(COMMANDS) > 10


@pytest.mark.parametrize(("place", "command"), COMMANDS)
def test_a_command_has_the_arguments_that_it_is_shown_with(place, command):
    words = shlex.split(command.split(">")[0], comments=True)
    start = next(i for i, word in enumerate(words) if Path(word).name == "pdehvd")
    name, *rest = words[start + 1 :]
    commands = typer.main.get_command(app).commands
    assert name in commands, place
    with commands[name].make_context(name, rest):
        pass
