"""What `--help` says: every command, argument and option that it shows is explained."""

from __future__ import annotations

import pytest
import typer

from pdehvd.cli import app

COMMANDS = {
    name: command
    for name, command in typer.main.get_command(app).commands.items()
    if not command.hidden
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_in_one_line_what_it_does(name: str) -> None:
    first = COMMANDS[name].help.splitlines()[0]
    assert first.endswith(".") and len(first) <= 100


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_and_option_is_explained(name: str) -> None:
    shown = [one for one in COMMANDS[name].params if not getattr(one, "hidden", False)]
    assert [one.name for one in shown if not one.help] == []
