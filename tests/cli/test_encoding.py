"""Terminals and locales that do not speak UTF-8; every command is a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pdehvd.experiment import notebook
from tests.support.launcher import ROOT, nightly

CONFIG = """\
name: small
seed: 1
problem:
  name: pde
  coordinates: {x: [0, 1]}
  fields: [u]
  equations: {décroît: u_x + u}
  conditions: {start: {on: x = 0, equal: {u: 1}}}
sampling: {name: grid, equations: 16, conditions: 1}
model: {name: mlp, width: 4, depth: 1}
training: {steps: 4, checkpoint_every: 2, log_every: 1}
processes: {threads: 1}
"""
LOCALE = ("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "PYTHONUTF8", "PYTHONIOENCODING")
KINDS = {
    "ascii output": {"PYTHONIOENCODING": "ascii"},
    "latin-1 output": {"PYTHONIOENCODING": "latin-1"},
    "C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


def typed(kind: str, folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    kept = {name: value for name, value in os.environ.items() if name not in LOCALE}
    return subprocess.run(
        [sys.executable, "-m", "pdehvd", *words],
        env={**kept, **KINDS[kind], "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "été.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("kind", [nightly("ascii output"), nightly("latin-1 output"), "C locale"])
def test_a_run_in_a_folder_of_any_name(kind: str, here: Path) -> None:
    done = typed(kind, here, "train", "été.yaml", "--output", "Läufe")
    assert done.returncode == 0, done.stderr
    assert b"UnicodeEncodeError" not in done.stdout + done.stderr
    (summary,) = here.glob("Läufe/small/*/summary.json")
    assert json.loads(summary.read_text())["steps"] == 4
    assert b"completed: 4 steps done" in done.stdout
    letter = {"latin-1 output": "ä".encode("latin-1")}.get(kind, b"?")
    assert b"L" + letter in done.stdout


@pytest.mark.parametrize("kind", ["ascii output", nightly("C locale")])
def test_a_message_shows_what_it_can(kind: str, here: Path) -> None:
    wrong = typed(kind, here, "check", "été.yaml", "--set", "training.stèps=1")
    assert wrong.returncode == 2 and b"Error" not in wrong.stdout
    assert b"training" in wrong.stderr and b"unknown key" in wrong.stderr
    shown = typed(kind, here, "check", "été.yaml")
    assert shown.returncode == 0 and b"d?cro?t" in shown.stdout, shown.stderr


def test_a_script_prints_what_its_terminal_can(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ascii:
        encoding = "ascii"

    monkeypatch.setattr(notebook.sys, "stdout", Ascii())
    assert notebook._printable("run: /é/\udce9") == "run: /?/?"
