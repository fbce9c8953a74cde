"""A folder with a small config, and a way to type commands into this process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pdehvd import cli
from pdehvd.launch import process_setup
from tests.support.commands import CONFIG, LAUNCHERS, Answer, Type


@pytest.fixture
def lone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide a launcher that started the tests; leave threads as they are, TensorFlow may run."""
    for name in list(os.environ):
        if name.startswith(LAUNCHERS):
            monkeypatch.delenv(name)
    monkeypatch.setattr(process_setup, "configure_threads", lambda *_: 1)
    monkeypatch.setattr(cli, "_PATIENCE", 0.0)


@pytest.fixture
def type_(lone: None, unseen: None, eagerly: None, capfd: pytest.CaptureFixture[str]) -> Type:
    """Return a function that runs a command line in this process."""

    def run(*arguments: str) -> Answer:
        capfd.readouterr()
        code = cli.main([str(argument) for argument in arguments])
        return Answer(code, *capfd.readouterr())

    return run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder that holds small.yaml."""
    (tmp_path / "small.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path
